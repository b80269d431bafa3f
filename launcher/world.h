// The ranks that were started together: over MPI when a launcher (mpirun, srun) started this
// process, else this process alone.
#pragma once

#include <memory>

#include "parallel/comm/communicator.h"

namespace edt {

class ErrorAgreement;
class MpiSession;
struct WaitHook;

class World {
 public:
  // Throws UsageError when the launcher started several processes that MPI does not connect.
  World();
  ~World();

  Communicator& ranks() { return *ranks_; }
  // How ranks end together; nullptr: there is one.
  ErrorAgreement* errors() { return errors_.get(); }

  // Threads for each rank so that those of a node share its cores: the cores this process may run
  // on, divided by the ranks that may run on the same ones. All ranks together.
  int threads_per_rank();

 private:
  std::unique_ptr<MpiSession> session_;
  std::shared_ptr<WaitHook> hook_;
  std::unique_ptr<Communicator> ranks_;
  std::unique_ptr<ErrorAgreement> errors_;
};

}  // namespace edt
