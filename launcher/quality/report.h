// What a study of quality shows: curves, the cost of reaching a quality, what a budget buys.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "launcher/page/page.h"
#include "launcher/quality/curves.h"

namespace edt {

struct QualityReport {
  std::string machine, command;
  QualityStudyOptions options;
  std::vector<QualityArm> arms;
  std::vector<QualityRun> runs;
  std::vector<std::pair<std::string, std::string>> grids;  // arm's label, PNG file
  std::size_t tasks = 0;                                   // runs that there will be
};

std::string quality_study_text(const QualityReport& report);
nlohmann::ordered_json quality_study_json(const QualityReport& report);
std::string quality_study_csv(const QualityReport& report);
Page quality_study_page(const QualityReport& report);

}  // namespace edt
