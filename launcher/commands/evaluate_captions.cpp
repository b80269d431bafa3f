// edt evaluate captions: how far pictures show what the captions that they were made from say.
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/options/options.h"
#include "data/caption_check.h"
#include "data/text_file.h"
#include "launcher/commands/table.h"
#include "launcher/evaluate/picture_source.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

// One of the things that a caption says of a picture.
struct Property {
  const char* name;
  bool data::CaptionAgreement::*agrees;
  std::size_t values;  // that it can have: by chance one of so many pictures agrees
};

constexpr std::array kProperties{
    Property{"colour", &data::CaptionAgreement::colour, data::kColourWords.size()},
    Property{"shape", &data::CaptionAgreement::shape, data::kShapeWords.size()},
    Property{"place", &data::CaptionAgreement::place, data::kPlaceWords.size()},
    Property{"size", &data::CaptionAgreement::size, data::kSizeWords.size()}};

struct CaptionScore {
  std::int64_t pictures = 0, all = 0;  // all: colour, shape and place
  std::array<std::int64_t, kProperties.size()> right{};

  void add(const data::CaptionAgreement& agreement) {
    ++pictures;
    all += agreement.all() ? 1 : 0;
    for (std::size_t i = 0; i < kProperties.size(); ++i) {
      right[i] += agreement.*kProperties[i].agrees ? 1 : 0;
    }
  }
  double share(std::int64_t count) const {
    return static_cast<double>(count) / static_cast<double>(pictures);
  }
};

double chance_of_all() {
  double chance = 1;
  for (const Property& one : kProperties) {
    if (one.agrees != &data::CaptionAgreement::size) chance /= static_cast<double>(one.values);
  }
  return chance;
}

// Picture i shows text i, and the first again after the last, as edt sample --text makes them.
CaptionScore score_of(PictureSource& pictures, const data::TextFile& texts, std::int64_t count) {
  CaptionScore score;
  for (std::int64_t i = 0; i < count; ++i) {
    const Image image = pictures.read(i, 1).front();
    const std::uint64_t text = static_cast<std::uint64_t>(i) % texts.size();
    score.add(data::compare(image, texts.caption(text),
                            fmt::format("{}: caption {}", texts.path().string(), text),
                            pictures.name_of(i)));
  }
  return score;
}

std::string text_of(const CaptionScore& score, const std::string& texts) {
  std::string text = fmt::format("{} of texts of {}\n\n{:<26}{:>10}{:>12}\n",
                                 counted(static_cast<std::uint64_t>(score.pictures), "picture"),
                                 texts, "agrees with the caption", "share", "by chance");
  const auto row = [&](const char* name, std::int64_t right, double chance) {
    text += fmt::format("{:<26}{:>10}{:>12}\n", name, human_percent(score.share(right)),
                        human_percent(chance));
  };
  for (std::size_t i = 0; i < kProperties.size(); ++i) {
    row(kProperties[i].name, score.right[i], 1 / static_cast<double>(kProperties[i].values));
  }
  row("colour, shape and place", score.all, chance_of_all());
  return text;
}

nlohmann::ordered_json json_of(const CaptionScore& score) {
  nlohmann::ordered_json json{{"pictures", score.pictures}};
  for (std::size_t i = 0; i < kProperties.size(); ++i) {
    json[kProperties[i].name] = score.share(score.right[i]);
  }
  json["all"] = score.share(score.all);
  return json;
}

}  // namespace

int evaluate_captions(std::span<const std::string> args, CommandContext& context) {
  std::vector<std::filesystem::path> paths;
  std::filesystem::path text;
  std::int64_t count = 0;
  bool as_json = false;
  OptionSet options("evaluate captions",
                    "Reads colour, shape, place and size back from pictures that were made from "
                    "captions of edt data synth --captions, and says how many agree.");
  options
      .add("pictures", &paths,
           "an .npz of edt sample --npz, or folders and tar archives of pictures, in the order of "
           "the texts")
      .positional_list()
      .required();
  options.add("text", &text, "the file of texts that they were made from, with its captions")
      .required();
  options.add("count", &count, "pictures looked at; 0: all").at_least(0);
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  const data::TextFile texts(text);
  require<UsageError>(texts.description().captions, "evaluate", "--text {}: it keeps no captions",
                      text.string());
  const auto pictures = open_pictures(paths);
  require<UsageError>(count <= pictures->count(), "evaluate", "--count is {}, {} has {}", count,
                      pictures->name(), pictures->count());
  if (count == 0) count = pictures->count();
  require<UsageError>(count > 0, "evaluate", "{} has no pictures", pictures->name());
  context.run_started = true;
  const CaptionScore score = score_of(*pictures, texts, count);
  if (count % static_cast<std::int64_t>(texts.size()) != 0) {
    log::warning(
        "{} of {} are compared with the {} of {} in turn: their numbers do not go together",
        counted(static_cast<std::uint64_t>(count), "picture"), pictures->name(),
        counted(texts.size(), "caption"), text.string());
  }
  context.out << (as_json ? dump_json(json_of(score), 2) + "\n" : text_of(score, text.string()));
  return kDone;
}

}  // namespace edt
