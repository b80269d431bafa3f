// Several runs side by side: one line for each thing that is compared, one value for each run.
#pragma once

#include <string>
#include <vector>

#include "launcher/watch/run_view.h"

namespace edt {

struct ComparedLine {
  std::string name;
  std::vector<std::string> values;
};

// The most important first.
std::vector<ComparedLine> compare(const RunViews& runs);

}  // namespace edt
