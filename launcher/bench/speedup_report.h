// What `edt bench speedup` found, for people and for scripts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "launcher/bench/speedup.h"
#include "launcher/page/page.h"

namespace edt {

// Speed of EDT over that of MDTv2 in the abstract of the paper (arXiv 2410.23788); nothing for
// other sizes.
struct PaperSpeedup {
  double train = 0, infer = 0;
};
std::optional<PaperSpeedup> paper_speedup(const std::string& size);

struct SpeedupReport {
  SpeedupOptions options;
  std::string machine;   // where it was measured, in words
  std::string commands;  // how
  std::vector<SizeSpeedup> sizes;
  std::vector<std::string> skipped;  // sizes that were not measured, and why
};

nlohmann::ordered_json to_json(const SpeedupReport& report);
std::string to_csv(const SpeedupReport& report);
std::string to_text(const SpeedupReport& report);
Page to_page(const SpeedupReport& report);

// How the measured ratio stands to the FLOPs and to the paper, one sentence each.
std::vector<std::string> findings(const SizeSpeedup& size);
// What the code of the published trainers suggests where measured and paper differ.
std::vector<std::string> suggested_causes();

}  // namespace edt
