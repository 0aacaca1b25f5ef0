// What functions work with while they run. Reused, so that nothing is allocated per reading; owned by an engine.
#pragma once

#include <vector>

#include "codec/json/scanner.hpp"
#include "flow/rules/expression.hpp"
#include "flow/rules/number_array.hpp"
#include "flow/rules/waveform.hpp"

namespace sluice::rules {

struct Workspace {
    TextArena arena;
    NumberArray numbers;
    base::Bytes scratch;
    std::vector<Value> values;
    json::Scanner scanner;  ///< of texts that are parsed as JSON, not of payloads
    SpectrumAnalyzer spectrum;

    void lend(Scope& scope) {
        scope.arena = &arena;
        scope.numbers = &numbers;
        scope.scratch = &scratch;
        scope.values = &values;
        scope.scanner = &scanner;
        scope.spectrum = &spectrum;
    }
};

}  // namespace sluice::rules
