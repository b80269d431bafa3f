// Commands on several ranks of this machine.
#pragma once

#include <string>

#include "tests/support/shell.h"

namespace edt::test {

// The command line of mpirun with these arguments: tests may run as root, and on fewer cores than
// ranks.
std::string mpirun_command(const std::string& arguments);

CommandOutcome mpirun(const std::string& arguments, const std::string& redirection = "2>/dev/null");

}  // namespace edt::test
