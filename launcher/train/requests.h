// What a run is asked for from outside, agreed between its ranks at a step boundary: a signal on
// any rank, or the files `save` and `stop` in the run directory.
#pragma once

#include <cstdint>
#include <string>

#include "launcher/run/run_directory.h"
#include "launcher/signals.h"
#include "parallel/comm/communicator.h"

namespace edt {

enum class Request : std::int32_t {
  kNone,
  kSave,  // the file `save`: a checkpoint now, then on
  kStop,  // a signal: save and end; whoever sent it may start the run again
  kHold,  // the file `stop`: save and end; the run starts no more while it is there
};

class RunRequests {
 public:
  RunRequests(const RunDirectory& directory, Communicator& ranks, const StopSignals& signals);

  // The strongest request of any rank; the same on all of them, which all call it.
  Request agree() const;
  // What asked to stop: "SIGUSR1". All ranks call it.
  std::string signal_name() const;
  // Removes the file `save`: it has been done. On the first rank.
  void saved() const;

 private:
  const RunDirectory& directory_;
  Communicator& ranks_;
  const StopSignals& signals_;
};

}  // namespace edt
