// Whether two recorded runs should agree, and what of them has counterparts.
#pragma once

#include <string>

#include "launcher/diff/record_set.h"

namespace edt {

struct LayoutOfRuns {
  bool same_collectives = true;  // as many ranks, which share the same and send it alike
  bool same_recompute = true;
  std::string left_out;  // what is not compared, and why
  std::string outside;   // why bits may well differ, all the same
};

// UsageError with both values where options, data set or tensor ranks differ that shape the
// weights.
LayoutOfRuns require_comparable(const RecordSet& a, const RecordSet& b);

}  // namespace edt
