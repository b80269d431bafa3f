// What all ranks of a run must have in common, checked before the first step.
#pragma once

#include <string>
#include <string_view>

#include "parallel/comm/communicator.h"

namespace edt {

// `mine` is text of lines "name = value", under "[section]" lines or not. Throws UsageError on all
// ranks, naming the first line in which a rank differs from the first rank, and both values.
void require_agreement(Communicator& ranks, std::string_view what, std::string_view mine);

}  // namespace edt
