// What a comparison with the data set says: for people, for scripts, as a page.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/image/image.h"
#include "launcher/memorisation/comparison.h"
#include "launcher/page/page.h"

namespace edt {

// Means over the draws of a level.
struct LevelLosses {
  double t = 0;
  std::int64_t step = -1;  // of a discrete process
  double loss = 0, floor_of_class = 0, floor = 0;
  std::optional<double> held_out;
};

struct PictureAndSample {
  std::size_t picture = 0;
  std::int32_t label = -1, label_of_sample = 0;  // -1: not known
  NearestPair nearest;                           // with numbers of the data set
  std::array<bool, 2> flipped{};
};

struct MemorisationReport {
  std::string model, checkpoint, data, weights;
  std::int64_t step = 0;
  std::uint64_t samples = 0, held_out = 0;  // seen; never trained on
  std::int64_t draws = 0;                   // of a level
  bool floors = true;
  std::vector<LevelLosses> levels;
  std::string pictures_from;               // a file, or how they were drawn
  std::vector<PictureAndSample> pictures;  // the nearest to a sample first, by the ratio
  std::vector<std::string> notes;

  double loss() const;  // means over the levels
  double floor_of_class() const;
  std::optional<double> held_out_loss() const;
  // Of the loss of held-out samples over that of samples trained on.
  std::optional<double> gap() const;
  std::size_t copies() const;
  // "generalises", "memorises", "begins to memorise", with the figures that say so.
  std::string verdict() const;
};

// Of draws level by level, as make_draws() has them.
std::vector<LevelLosses> level_losses(const Process& process, const std::vector<double>& levels,
                                      const std::vector<DrawLoss>& draws);

std::string memorisation_text(const MemorisationReport& report);
nlohmann::ordered_json to_json(const MemorisationReport& report);
// `pairs`: of the first pictures of the report, the picture, the nearest sample, the second.
Page memorisation_page(const MemorisationReport& report, const std::vector<Image>& pairs,
                       bool false_colours);

}  // namespace edt
