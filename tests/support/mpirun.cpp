#include "tests/support/mpirun.h"

namespace edt::test {

std::string mpirun_command(const std::string& arguments) {
  return "env " EDT_MPI_ENVIRONMENT " " EDT_MPIEXEC " " + arguments;
}

CommandOutcome mpirun(const std::string& arguments, const std::string& redirection) {
  return shell(mpirun_command(arguments) + " </dev/null " + redirection);
}

}  // namespace edt::test
