// The program's commands within the test's own process.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "launcher/commands/table.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt::test {

struct Outcome {
  int status = 0;
  std::string out, error;
};

inline Outcome edt_command(const std::vector<std::string>& args) {
  std::ostringstream out, error;
  const auto ranks = make_self_communicator();
  CommandContext context{out, error, *ranks};
  const int status = run_program(args, command_table(), context);
  return {status, out.str(), error.str()};
}

}  // namespace edt::test
