# SPDX-License-Identifier: MIT
"""Runs unittest modules (or classes, or single tests) and prints one line for each test: its name and how it ended.

    run_unittests.py NAME... [--without NAME...]

The lines are sorted and hold no times, so that two runs can be compared; what the tests themselves print stays out
of them. --without leaves out the tests whose full name begins with one of the names; a name that matches no test is
an error, as is a test that fails or a module with no tests."""

import argparse
import os
import sys
import unittest


class Recorder(unittest.TestResult):
    """Keeps a verdict for each test; subtests count only when they fail."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def addSuccess(self, test):
        self.lines.append(f"{test.id()}: ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.lines.append(f"{test.id()}: skipped: {reason}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.lines.append(f"{test.id()}: expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.lines.append(f"{test.id()}: unexpected success")


def each_test(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from each_test(item)
        else:
            yield item


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("--without", nargs="*", default=[])
    arguments = parser.parse_args()

    # The result goes to the real standard output; whatever the tests print goes to standard error.
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    suite = unittest.TestSuite()
    left_out = {prefix: 0 for prefix in arguments.without}
    for name in arguments.names:
        kept = unittest.TestSuite()
        loaded = unittest.defaultTestLoader.loadTestsFromName(name)
        for test in each_test(loaded):
            for prefix in left_out:
                if test.id().startswith(prefix):
                    left_out[prefix] += 1
                    break
            else:
                kept.addTest(test)
        if kept.countTestCases() == 0:
            sys.exit(f"{name}: no tests")
        suite.addTest(kept)
    for prefix, count in left_out.items():
        if count == 0:
            sys.exit(f"--without {prefix}: there is no such test")

    recorder = Recorder()
    suite.run(recorder)
    for test, trace in recorder.failures + recorder.errors:
        recorder.lines.append(f"{test.id()}: FAILED")
        print(f"{test.id()}\n{trace}", file=sys.stderr)
    with report:
        print("\n".join(sorted(recorder.lines)), file=report)
    sys.exit(0 if recorder.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
