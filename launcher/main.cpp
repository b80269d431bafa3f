#include <signal.h>

#include <iostream>
#include <string>
#include <vector>

#include "launcher/command.h"
#include "launcher/commands/table.h"

int main(int argc, char** argv) {
  signal(SIGXFSZ, SIG_IGN);  // a file size limit is then an error of write(), like a full disk
  const std::vector<std::string> args(argv + 1, argv + argc);
  edt::CommandContext context{std::cout, std::cerr};
  return edt::run_program(args, edt::command_table(), context);
}
