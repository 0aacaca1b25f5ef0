// links: sluice_plain_rules
// Input: bytes that choose rules and readings (plain_rules/case_maker.cpp). The engine, with all rules in one plan, puts out what the plain
// interpreter does.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "plain_rules/comparison.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace sluice::rules::plain;
    const Finding finding = compare(make_case({bytes, size}));
    if (finding.difference.empty()) return 0;
    std::fputs(finding.difference.c_str(), stderr);
    std::abort();
}
