// What a step's matrix products reach alone on this machine: the yardstick of a run's speed. Taken
// at the start and again now and then, as on a machine that others use too the first one soon says
// nothing any more.
#pragma once

#include <vector>

#include "core/ops/backend.h"
#include "parallel/comm/communicator.h"

namespace edt {

// When it is time again: so seldom that it takes a thousandth of the run, at most once a minute;
// but ten times as soon, once, after a step that was faster than the ceiling, which then is none.
class CeilingSchedule {
 public:
  // It has taken `cost` seconds, until `now`.
  void taken(double now, double cost);
  // A step has reached `share` of it.
  void reached(double share);
  bool is_due(double now) const;

 private:
  double last_ = 0, cost_ = 0, share_ = 0;
  bool believes_steps_ = true;  // that taking it again helps: not right after it did not
};

class CeilingGauge {
 public:
  // All ranks of `world` together, each with these products in this type.
  CeilingGauge(Backend& backend, std::vector<MatmulForm> forms, DType dtype, Communicator& world);

  // FLOP/s of all ranks together; 0: the backend has no products to measure.
  double rate() const { return rate_; }

  // A step has reached `share` of it.
  void reached(double share) { schedule_.reached(share); }
  // By this rank's clock: one rank says it for all.
  bool is_due() const;
  // All ranks together: seconds that it took. Where a rank lacks the memory for its operands the
  // rate stays.
  double take_again();

 private:
  // The products run once to warm up and once for the rate, on all ranks at the same time.
  void take();

  Backend& backend_;
  std::vector<MatmulForm> forms_;
  DType dtype_;
  Communicator& world_;
  CeilingSchedule schedule_;
  double rate_ = 0, cost_ = 0;
};

}  // namespace edt
