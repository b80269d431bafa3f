// A scaling study for people, scripts and spreadsheets: medians with their range, the ideal line,
// and what a plan predicts.
#pragma once

#include "launcher/page/page.h"
#include "launcher/scale/study.h"
#include "model/plan/cluster.h"

namespace edt {

struct ScaleRow {
  ScalePoint point;
  int repeats = 0;
  double images_per_s = 0, lowest = 0, highest = 0;
  double efficiency = 0;  // rate of a rank over that of a rank at the least number of ranks
  double ceiling_ratio = 0, exposed = 0, imbalance = 1, memory_bytes = 0;
  std::optional<double> predicted;  // images/s
};

// `cluster` predicts; nullptr: nothing does.
std::vector<ScaleRow> scale_rows(const Study& study, const std::vector<ScalePoint>& points,
                                 const StudyOptions& options, const Cluster* cluster);

std::string scale_text(const std::vector<ScaleRow>& rows);
std::string scale_csv(const std::vector<ScaleRow>& rows);
nlohmann::ordered_json scale_json(const std::vector<ScaleRow>& rows, const StudyOptions& options);
Page scale_page(const std::vector<ScaleRow>& rows, const StudyOptions& options);

}  // namespace edt
