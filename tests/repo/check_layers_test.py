"""Tests of tools/check_layers.py and tools/check_style.py on small trees made for the purpose."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
import check_layers  # noqa: E402
import check_style  # noqa: E402

HEADERS = [
    "src/base/error.hpp", "src/data/reading.hpp", "src/env/clock.hpp", "src/env/posix/event_loop.hpp", "src/codec/mqtt/packet.hpp",
    "src/codec/json/scan.hpp", "src/flow/hub/hub.hpp", "src/flow/rules/plan.hpp", "src/manage/config/gateway_config.hpp",
    "src/manage/identity/keys.hpp", "src/gateway/wiring.hpp", "src/cloud/ingest.hpp", "sim/disk.hpp", "device/include/sluice/welford.hpp",
]


class Tree(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = pathlib.Path(place.name).resolve()
        for name in HEADERS:
            self.write(name, "#pragma once\n")

    def write(self, name, text):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def layers(self):
        return check_layers.check(self.root)


class Layers(Tree):
    def only_finding(self):
        found = self.layers()
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_a_tree_that_follows_the_order_has_no_findings(self):
        self.write("src/flow/hub/hub.cpp", '#include "flow/hub/hub.hpp"\n#include "codec/mqtt/packet.hpp"\n#include "env/clock.hpp"\n')
        self.write("src/gateway/wiring.cpp", '#include "flow/hub/hub.hpp"\n#include "manage/identity/keys.hpp"\n')
        self.write("src/cloud/wiring.cpp", '#include "env/posix/event_loop.hpp"\n')
        self.write("src/flow/rules/plan.cpp", '#include "sluice/welford.hpp"\n#include "codec/json/scan.hpp"\n')
        self.assertEqual(self.layers(), [])

    def test_one_stage_that_includes_another_is_told_where_they_meet(self):
        self.write("src/flow/hub/hub.cpp", '#include "base/error.hpp"\n#include "flow/rules/plan.hpp"\n')
        file, line, text = self.only_finding()
        self.assertEqual((file, line), ("src/flow/hub/hub.cpp", 2))
        self.assertIn("wiring.cpp", text)

    def test_a_stage_that_includes_management_is_a_finding(self):
        self.write("src/flow/hub/hub.cpp", '#include "manage/config/gateway_config.hpp"\n')
        self.assertIn("src/flow and src/manage", self.only_finding()[2])

    def test_management_folders_do_not_include_each_other(self):
        self.write("src/manage/config/reader.cpp", '#include "manage/identity/keys.hpp"\n')
        self.assertIn("folders of src/manage", self.only_finding()[2])

    def test_a_codec_does_not_know_the_environment(self):
        self.write("src/codec/mqtt/packet.cpp", '#include "env/clock.hpp"\n')
        self.assertIn("pure function", self.only_finding()[2])

    def test_a_codec_does_not_include_another_codec(self):
        self.write("src/codec/mqtt/packet.cpp", '#include "codec/json/scan.hpp"\n')
        self.assertIn("src/codec/json", self.only_finding()[2])

    def test_a_lower_layer_does_not_include_a_higher_one(self):
        self.write("src/base/error.cpp", '#include "data/reading.hpp"\n')
        self.assertIn("does not stand before it", self.only_finding()[2])

    def test_the_gateway_does_not_include_the_cloud(self):
        self.write("src/gateway/wiring.cpp", '#include "cloud/ingest.hpp"\n')
        self.assertIn("src/cloud", self.only_finding()[2])

    def test_only_compositions_use_the_real_environment(self):
        self.write("src/flow/hub/hub.cpp", '#include "env/posix/event_loop.hpp"\n')
        self.assertIn("interface in src/env", self.only_finding()[2])

    def test_only_the_real_environment_uses_asio_and_sockets(self):
        self.write("src/gateway/wiring.cpp", "#include <boost/asio.hpp>\n")
        self.write("src/flow/hub/hub.cpp", "#include <sys/socket.h>\n")
        self.write("src/env/posix/event_loop.cpp", "#include <sys/epoll.h>\n")
        self.assertEqual([file for file, _, _ in self.layers()], ["src/flow/hub/hub.cpp", "src/gateway/wiring.cpp"])

    def test_logic_that_reads_a_clock_is_a_finding_but_a_comment_about_it_is_not(self):
        self.write("src/flow/hub/hub.cpp", "// steady_clock::now is not used\nauto t = std::chrono::steady_clock::now();\n")
        self.assertEqual(self.only_finding()[1], 2)

    def test_coroutines_are_a_finding_everywhere(self):
        self.write("src/env/posix/event_loop.cpp", "co_await read();\n")
        self.assertIn("state machine", self.only_finding()[2])

    def test_a_test_may_include_the_simulation_but_the_code_may_not(self):
        self.write("src/flow/hub/hub_test.cpp", '#include "sim/disk.hpp"\n')
        self.assertEqual(self.layers(), [])
        self.write("src/flow/hub/hub.cpp", '#include "sim/disk.hpp"\n')
        self.only_finding()

    def test_folders_below_a_stage_belong_to_it(self):
        self.write("src/flow/rules/functions/stats.hpp", '#pragma once\n#include "flow/rules/plan.hpp"\n')
        self.write("src/flow/rules/plan.cpp", '#include "flow/rules/functions/stats.hpp"\n')
        self.assertEqual(self.layers(), [])
        self.write("src/flow/rules/functions/bad.hpp", '#pragma once\n#include "flow/hub/hub.hpp"\n')
        self.only_finding()


class Style(Tree):
    def style(self):
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)
        return [row for row in check_style.check(self.root) if "README" not in row[2]]

    def test_a_long_file_needs_an_exception_with_a_reason(self):
        self.write("src/base/long.cpp", "int x;\n" * 601)
        self.assertIn("601 lines", self.style()[0][2])
        self.write("tools/exceptions.txt", "src/base/long.cpp\n")
        self.assertIn("needs a reason", self.style()[0][2])
        self.write("tools/exceptions.txt", "src/base/long.cpp  # one table\n")
        self.assertEqual(self.style(), [])

    def test_an_exception_that_is_not_needed_any_more_is_a_finding(self):
        self.write("tools/exceptions.txt", "src/base/error.hpp  # was long once\n")
        self.assertIn("remove this line", self.style()[0][2])

    def test_unfinished_work_and_sleeping_tests_are_findings(self):
        self.write("src/base/a.cpp", "// TO" + "DO later\n")
        self.write("src/base/a_test.cpp", "std::this_thread::sleep_for(1s);\n")
        self.assertEqual([row[0] for row in self.style()], ["src/base/a.cpp", "src/base/a_test.cpp"])

    def test_a_header_without_pragma_once_is_a_finding(self):
        self.write("src/base/b.hpp", "int f();\n")
        self.assertIn("pragma once", self.style()[0][2])

    def test_a_folder_without_readme_is_a_finding(self):
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)
        self.assertIn("src/base", [row[0] for row in check_style.check(self.root)])


if __name__ == "__main__":
    unittest.main()
