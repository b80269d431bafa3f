// The MPI library of this process, from MPI_Init to MPI_Finalize. No MPI header is needed to use
// it.
#pragma once

#include "parallel/comm/p2p_communicator.h"

namespace edt {

class MpiSession {
 public:
  // Needs MPI_THREAD_MULTIPLE: communication overlaps computing from a thread of its own. Throws
  // CommunicationError when the library does not give it.
  MpiSession();
  // Waits for the other ranks, unless an exception is on its way: then the caller aborts.
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  // How long the destructor waits for the other ranks; then the process ends with `status` and a
  // line that begins with `name`.
  void limit_end(Seconds limit, int status, std::string name);

  // All ranks of the job. Must not outlive the session.
  std::unique_ptr<Communicator> world(const TransportOptions& options = {}) const;

  // "Open MPI v4.1.4, ..."
  static std::string library();

 private:
  Seconds end_limit_{1800};
  int late_status_ = 1;
  std::string name_ = "this rank";
};

}  // namespace edt
