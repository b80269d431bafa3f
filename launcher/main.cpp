#include <iostream>
#include <string>
#include <vector>

#include "launcher/command.h"
#include "launcher/commands/table.h"

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  edt::CommandContext context{std::cout, std::cerr};
  return edt::run_program(args, edt::command_table(), context);
}
