# ./dev cover: which lines the tests beside the code, the contract and the rule tests reach.
# shellcheck shell=bash

verb_cover() {
    use setup
    use build
    verb_setup
    compile cover
    run ctest --test-dir build/cover -L 'unit|contract|rules|sim-smoke' --output-on-failure -j "$(jobs)"
    run gcovr --root . --object-directory build/cover --filter src/ --filter device/ --filter sim/ --exclude '.*_test\.cpp' \
        --exclude-throw-branches --html-details build/cover/coverage.html --print-summary
    echo "build/cover/coverage.html"
}
