"""The README says what is true: its configuration passes check, its commands exist, its links lead somewhere."""

import re
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, ROOT

PAGES = ["README.md", "CONTRIBUTING.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md")))]


def help_of(*words):
    return subprocess.run([BINARY, *words, "--help"], capture_output=True, text=True, timeout=PATIENCE, check=False)


class Readme(SystemCase):
    def test_its_configuration_passes_check(self):
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
        self.assertTrue(examples)
        for example in examples:
            file = self.folder / "gateway.yaml"
            file.write_text(example, encoding="utf-8")
            result = subprocess.run([BINARY, "check", "-c", str(file)], capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_every_command_it_names_exists_and_shows_examples(self):
        commands = set()
        for page in PAGES:
            commands |= set(re.findall(r"`(?:build/release/)?sluice ([a-z]+(?: test| stat)?)\b", (ROOT / page).read_text(encoding="utf-8")))
        self.assertTrue({"check", "replay", "tap", "init", "rule test"} <= commands, commands)
        for command in sorted(commands):
            with self.subTest(command):
                result = help_of(*command.split())
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("xample", result.stdout)

    def test_every_verb_of_dev_that_a_page_names_exists(self):
        shown = subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True).stdout
        known = set(re.findall(r"^  ([a-z]+) ", shown, re.MULTILINE))
        for page in PAGES:
            for verb in re.findall(r"\./dev ([a-z]+)", (ROOT / page).read_text(encoding="utf-8")):
                self.assertIn(verb, known, page)

    def test_every_local_link_leads_somewhere(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text(encoding="utf-8")):
                if "://" not in target:
                    self.assertTrue(((ROOT / page).parent / target).exists(), f"{page}: {target}")


if __name__ == "__main__":
    main()
