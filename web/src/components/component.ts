// A part of a page: an element and what updates it. Views put components together and pass them what arrives.

export interface Component<Value> {
  readonly root: HTMLElement;
  update(value: Value): void;
}
