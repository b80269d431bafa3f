#include "launcher/memorisation/memorisation_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/image/png.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

// Ours: a gap that noise of the draws does not make, and one that nobody would miss.
constexpr double kSmallGap = 0.05, kLargeGap = 0.25, kLargeShare = 0.01;
constexpr std::size_t kShownPictures = 10;

template <class Value>
double mean_of(const std::vector<LevelLosses>& levels, const Value& value) {
  double sum = 0;
  for (const LevelLosses& level : levels) sum += value(level);
  return sum / static_cast<double>(levels.size());
}

std::string level_name(const LevelLosses& level) {
  return level.step >= 0 ? fmt::format("step {}", level.step) : fmt::format("t = {:.4g}", level.t);
}

std::string gap_text(const LevelLosses& level) {
  return level.held_out ? fmt::format("{:+.1f} %", 100 * (*level.held_out / level.loss - 1)) : "";
}

std::string sample_name(const PictureAndSample& one, std::size_t which) {
  if (one.nearest.sample[which] == NearestPair::kNone) return "";
  return fmt::format("{}{}", one.nearest.sample[which], one.flipped[which] ? ", mirrored" : "");
}

std::vector<std::string> loss_header(const MemorisationReport& report) {
  std::vector<std::string> header{"noise", "loss"};
  if (report.held_out > 0) header.insert(header.end(), {"held out", "gap"});
  if (report.floors) header.insert(header.end(), {"floor", "floor, any class"});
  return header;
}

std::vector<std::vector<std::string>> loss_rows(const MemorisationReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const LevelLosses& level : report.levels) {
    std::vector<std::string> row{level_name(level), fmt::format("{:.5f}", level.loss)};
    if (report.held_out > 0) {
      row.push_back(level.held_out ? fmt::format("{:.5f}", *level.held_out) : "");
      row.push_back(gap_text(level));
    }
    if (report.floors) {
      row.push_back(fmt::format("{:.5f}", level.floor_of_class));
      row.push_back(fmt::format("{:.5f}", level.floor));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

const std::vector<std::string> kPictureHeader{"picture",  "class",  "nearest sample", "its class",
                                              "distance", "second", "ratio",          ""};

std::vector<std::string> picture_row(const PictureAndSample& one) {
  return {std::to_string(one.picture),
          one.label < 0 ? "" : std::to_string(one.label),
          sample_name(one, 0),
          std::to_string(one.label_of_sample),
          fmt::format("{:.4f}", one.nearest.distance[0]),
          fmt::format("{:.4f}", one.nearest.distance[1]),
          fmt::format("{:.3f}", one.nearest.ratio()),
          one.nearest.is_copy() ? "copy" : ""};
}

std::string copies_text(const MemorisationReport& report) {
  return fmt::format("{} of {} are at least three times as near to one sample as to any other",
                     report.copies(), counted(report.pictures.size(), "picture"));
}

std::string origin_text(const MemorisationReport& report) {
  std::string text =
      fmt::format("{}, step {}, {} weights, against {} of {}", report.model, report.step,
                  report.weights, counted(report.samples, "sample"), report.data);
  if (report.held_out > 0) text += fmt::format(", {} more are held out", report.held_out);
  return text;
}

const char* kFloorText =
    "Loss: mean square of what the network should have given less what it gave, of samples it was "
    "trained on. Floor: that of the best denoiser of just these samples, told the class; a network "
    "comes near to it by knowing them by heart.";

}  // namespace

double MemorisationReport::loss() const {
  return mean_of(levels, [](const LevelLosses& level) { return level.loss; });
}

double MemorisationReport::floor_of_class() const {
  return mean_of(levels, [](const LevelLosses& level) { return level.floor_of_class; });
}

std::optional<double> MemorisationReport::held_out_loss() const {
  if (levels.empty() || !levels.front().held_out) return {};
  return mean_of(levels, [](const LevelLosses& level) { return level.held_out.value_or(0); });
}

std::optional<double> MemorisationReport::gap() const {
  const auto held = held_out_loss();
  return held ? std::optional(*held / loss() - 1) : std::nullopt;
}

std::size_t MemorisationReport::copies() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      pictures, [](const PictureAndSample& one) { return one.nearest.is_copy(); }));
}

std::string MemorisationReport::verdict() const {
  const auto gap_seen = gap();
  const double share =
      pictures.empty() ? 0 : static_cast<double>(copies()) / static_cast<double>(pictures.size());
  std::vector<std::string> why;
  if (gap_seen) why.push_back(fmt::format("held-out loss {:+.1f} %", 100 * *gap_seen));
  if (!pictures.empty())
    why.push_back(fmt::format("{} of pictures are copies", human_percent(share)));
  const char* word = "begins to memorise";
  if (gap_seen.value_or(0) > kLargeGap || share > kLargeShare) {
    word = "memorises";
  } else if (!gap_seen) {
    word = copies() > 0 ? word : "no copies, and no held-out samples to say more";
  } else if (*gap_seen < kSmallGap && copies() == 0) {
    word = "generalises";
  }
  return why.empty() ? word : fmt::format("{}: {}", word, fmt::join(why, ", "));
}

std::vector<LevelLosses> level_losses(const Process& process, const std::vector<double>& levels,
                                      const std::vector<DrawLoss>& draws) {
  const std::size_t each = draws.size() / levels.size();
  std::vector<LevelLosses> means;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    LevelLosses level{.t = levels[i]};
    if (process.steps() > 0) level.step = process.step(levels[i]);
    for (const DrawLoss& draw : std::span(draws).subspan(i * each, each)) {
      level.loss += draw.loss / static_cast<double>(each);
      level.floor_of_class += draw.floor_of_class / static_cast<double>(each);
      level.floor += draw.floor / static_cast<double>(each);
    }
    means.push_back(level);
  }
  return means;
}

std::string memorisation_text(const MemorisationReport& report) {
  std::string text = origin_text(report) + "\n\n";
  Table losses(loss_header(report));
  for (auto& row : loss_rows(report)) losses.add(std::move(row));
  text += losses.text();
  if (!report.pictures.empty()) {
    text += fmt::format("\n{}; {}\n", report.pictures_from, copies_text(report));
    Table pictures(kPictureHeader);
    for (std::size_t i = 0; i < std::min(kShownPictures, report.pictures.size()); ++i) {
      pictures.add(picture_row(report.pictures[i]));
    }
    text += pictures.text();
  }
  text += fmt::format("\n{}\n", report.verdict());
  for (const std::string& note : report.notes) text += fmt::format("note: {}\n", note);
  return text;
}

nlohmann::ordered_json to_json(const MemorisationReport& report) {
  using Json = nlohmann::ordered_json;
  const auto optional = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  Json levels = Json::array(), pictures = Json::array();
  for (const LevelLosses& level : report.levels) {
    Json one{{"t", level.t}};
    if (level.step >= 0) one["step"] = level.step;
    one["loss"] = level.loss;
    one["held_out_loss"] = optional(level.held_out);
    one["floor_of_class"] = report.floors ? Json(level.floor_of_class) : Json(nullptr);
    one["floor"] = report.floors ? Json(level.floor) : Json(nullptr);
    levels.push_back(std::move(one));
  }
  for (const PictureAndSample& one : report.pictures) {
    Json samples = Json::array();
    for (std::size_t k = 0; k < 2; ++k) {
      if (one.nearest.sample[k] == NearestPair::kNone) continue;
      samples.push_back({{"sample", one.nearest.sample[k]},
                         {"flipped", one.flipped[k]},
                         {"distance", one.nearest.distance[k]}});
    }
    pictures.push_back({{"picture", one.picture},
                        {"label", one.label},
                        {"nearest", samples},
                        {"ratio", one.nearest.ratio()},
                        {"copy", one.nearest.is_copy()}});
  }
  return {{"model", report.model},
          {"checkpoint", report.checkpoint},
          {"step", report.step},
          {"weights", report.weights},
          {"data", report.data},
          {"samples", report.samples},
          {"held_out", report.held_out},
          {"draws_of_a_level", report.draws},
          {"loss", report.loss()},
          {"floor_of_class", report.floors ? Json(report.floor_of_class()) : Json(nullptr)},
          {"held_out_loss", optional(report.held_out_loss())},
          {"gap", optional(report.gap())},
          {"levels", levels},
          {"pictures_from", report.pictures_from},
          {"copies", report.copies()},
          {"pictures", pictures},
          {"verdict", report.verdict()},
          {"notes", report.notes}};
}

Page memorisation_page(const MemorisationReport& report, const std::vector<Image>& pairs,
                       bool false_colours) {
  Page page("What " + report.model + " knows by heart");
  page.paragraph(origin_text(report)).paragraph(report.verdict());
  LineChart chart{.title = "Loss and floor",
                  .x_label = "noise: 0 data, 1 noise alone",
                  .y_label = "mean square",
                  .caption = kFloorText};
  const auto add = [&](const char* name, const auto& value) {
    LineSeries series{.name = name};
    for (const LevelLosses& level : report.levels)
      series.points.push_back({level.t, {value(level)}});
    chart.series.push_back(std::move(series));
  };
  add("samples trained on", [](const LevelLosses& level) { return level.loss; });
  if (report.held_out_loss()) {
    add("held out", [](const LevelLosses& level) { return level.held_out.value_or(0); });
  }
  if (report.floors) {
    add("floor", [](const LevelLosses& level) { return level.floor_of_class; });
    add("floor, any class", [](const LevelLosses& level) { return level.floor; });
  }
  page.chart(chart).table(loss_header(report), loss_rows(report));
  for (const std::string& note : report.notes) page.paragraph(note);
  if (report.pictures.empty()) return page;
  page.heading("Pictures and their nearest samples")
      .paragraph(fmt::format("{}; {}.", report.pictures_from, copies_text(report)));
  if (!pairs.empty()) {
    page.picture(encode_png(make_grid(pairs, 3)),
                 fmt::format("Each row: a picture, the sample nearest to it, the second; the {} "
                             "with the smallest ratio of both distances first{}",
                             pairs.size() / 3, false_colours ? ". False colours" : ""));
  }
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::min<std::size_t>(100, report.pictures.size()); ++i) {
    rows.push_back(picture_row(report.pictures[i]));
  }
  page.table(kPictureHeader, rows);
  return page;
}

}  // namespace edt
