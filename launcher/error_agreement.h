// What ends a job of several ranks is said once, whether one rank has found it or all. Errors
// travel to rank 0 beside the collectives; ranks that wait in a collective meanwhile tell it that
// they have found none. Once it has heard of all, one line is printed and the job ends.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/comm/communicator.h"

namespace edt {

struct RankError {
  int rank = 0;
  std::string name;  // "rank 3 of 8 on node07"
  std::string what;
  int status = 0;
};

// The line about `errors`, of which there is one at least: only what is wrong where all ranks have
// found the same, else the first with the name of its rank, and how many others there are.
std::string error_line(const std::vector<RankError>& errors, int ranks);

class ErrorAgreement {
 public:
  // All ranks of `world`, of which there are several, together. `out`: where the line goes.
  ErrorAgreement(Communicator& world, std::ostream& out);

  // From a wait in a collective, now and then; from any thread.
  void look();

  // This rank has failed: the job ends, with a line and the status of the error in it. `grace`:
  // how long others may neither fail nor wait in a collective, as they compute; after that this
  // rank speaks for itself.
  [[noreturn]] void end(std::string_view what, int status, Seconds grace);

 private:
  void read_messages();
  void note(const RankError& error);
  bool is_settled();
  [[noreturn]] void speak();

  Communicator& world_;
  std::ostream& out_;
  std::unique_ptr<SideChannel> side_channel_;
  std::mutex mutex_;
  bool asked_ = false;             // rank 0 has asked all
  std::vector<RankError> errors_;  // on rank 0: of all; elsewhere its own
  std::map<int, int> waits_;       // on rank 0: looks of ranks that wait, since the last error
};

}  // namespace edt
