"""How the programs of this folder end: what was looked at, what of it is wrong, and `N passed, N failed, N skipped`."""
import argparse
import os
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77  # as meson understands it


def option_parser(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    return parser


def skipped(count, why):
    print(f"0 passed, 0 failed, {count} skipped: {why}")
    return SKIPPED


class Missing(Exception):
    """What this machine lacks, so that a test cannot run here."""


class Outcomes:
    def __init__(self):
        self.passed, self.skipped, self.wrong = 0, 0, []

    def add(self, name, fault=None):
        """fault says what is wrong; it is empty where nothing is."""
        if fault:
            self.wrong.append(f"{name}: {fault}")
        else:
            self.passed += 1

    def same(self, name, got, want):
        self.add(name, None if got == want else f"got {got}, want {want}")

    def each(self, tests, *arguments):
        """A test raises what is wrong."""
        for test in tests:
            try:
                test(*arguments)
            except Missing as what:
                self.skipped += 1
                print(f"{test.__name__}: skipped: {what}")
            except Exception:  # noqa: BLE001
                self.add(test.__name__, traceback.format_exc())
            else:
                self.add(test.__name__)

    def stop(self, control):
        """Ends a control plane, which must end well."""
        code = control.stop()
        self.add("stops", f"{code} {control.log()}" if code else None)

    def end(self):
        """Tells, and gives the exit code."""
        for line in self.wrong:
            print("FAIL", line)
        print(f"{self.passed} passed, {len(self.wrong)} failed, {self.skipped} skipped")
        return 1 if self.wrong else 0
