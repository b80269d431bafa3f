#include "launcher/train/run_changes.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "launcher/recipe/text_space.h"
#include "launcher/recipe/train_config.h"
#include "parallel/sharding/sum_tree.h"

namespace edt {
namespace {

// Some that are spread over the set.
std::vector<data::SampleRef> spread_samples(const data::Dataset& dataset) {
  constexpr std::uint64_t kSamples = 16;
  const std::uint64_t count = std::min(kSamples, dataset.size());
  std::vector<data::SampleRef> refs;
  for (std::uint64_t i = 0; i < count; ++i) refs.push_back({.index = i * dataset.size() / count});
  return refs;
}

// Of their labels and values.
std::string values_checksum(const data::Dataset& dataset) {
  const std::vector<data::SampleRef> refs = spread_samples(dataset);
  const std::size_t count = refs.size();
  std::vector<float> values(count * dataset.description().latent_elements());
  std::vector<std::int32_t> labels(count);
  data::ReadScratch scratch;
  dataset.read(refs, 0, scratch, values, labels);
  StreamingChecksum sum;
  sum.add(std::as_bytes(std::span(labels)));
  sum.add(std::as_bytes(std::span(values)));
  return checksum_text(sum.value());
}

// Of all labels, which are in memory: a set that was labelled anew differs in few of them.
std::string labels_checksum(const data::Dataset& dataset) {
  StreamingChecksum sum;
  for (const auto& shard : dataset.shards()) sum.add(std::as_bytes(shard->labels()));
  return checksum_text(sum.value());
}

std::string array_checksum(const data::Dataset& dataset, std::size_t array) {
  const std::vector<data::SampleRef> refs = spread_samples(dataset);
  std::vector<float> values(refs.size() * dataset.arrays()[array].elements);
  data::ReadScratch scratch;
  dataset.read_array(array, refs, scratch, values);
  return checksum_text(checksum_of(std::span<const float>(values)));
}

nlohmann::ordered_json parse_identity(const std::string& text) {
  const auto json = try_parse_ordered_json(text);
  return json.is_object() ? json : nlohmann::ordered_json::object();
}

// How a step's gradients are summed.
std::string sum_text(const SumTree& tree, std::int64_t micro_batch) {
  return fmt::format("{} x {} micro-batches of {}", tree.runs, tree.leaves, micro_batch);
}

std::int64_t value_before(std::span<const OptionChange> changes, std::string_view name,
                          std::int64_t now) {
  const auto found = std::ranges::find(changes, name, &OptionChange::name);
  if (found == changes.end()) return now;
  std::int64_t value = 0;
  const std::string& text = found->before;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Another sum of as many images, or with another odd part, has other bits. Nothing where it is the
// same, or a micro-batch is still to be chosen.
std::optional<OptionChange> other_sum(const TrainOptions& now,
                                      std::span<const OptionChange> changes) {
  const std::int64_t batch = value_before(changes, "train.batch", now.batch);
  const std::int64_t size = value_before(changes, "train.micro-batch", now.micro_batch);
  if (size <= 0 || batch < size || now.micro_batch == 0) return std::nullopt;
  const SumTree before = SumTree::of(batch / size),
                after = SumTree::of(now.batch / now.micro_batch);
  const bool is_other = batch == now.batch ? size != now.micro_batch : before.runs != after.runs;
  if (!is_other) return std::nullopt;
  return OptionChange{"sum of gradients", sum_text(before, size),
                      sum_text(after, now.micro_batch) + " (outside the promise of equal bits)",
                      false};
}

// A configuration written before these could be told: latents were those of Stable Diffusion's VAE.
IniFile with_former_latents(IniFile configuration) {
  for (const auto& [name, value] : {std::pair{"model.channels", "4"}, {"model.vae-factor", "8"}}) {
    if (std::ranges::find(configuration.entries, name, &IniEntry::key) ==
        configuration.entries.end()) {
      configuration.entries.push_back({.key = name, .value = value});
    }
  }
  return configuration;
}

// Whether options that differ say the same: one that says what its preset says anyway.
bool is_same_model(const IniFile& before, const ModelOptions& now,
                   const nlohmann::ordered_json& data) {
  std::int64_t classes = 0;
  const std::string text = data.value("classes", "");
  std::from_chars(text.data(), text.data() + text.size(), classes);
  try {
    TrainConfig config;
    OptionSet options("train", "");
    config.declare(options);
    options.read(before);
    return config.model.text.encoder == now.text.encoder &&
           config.model.resolve(classes) == now.resolve(classes);
  } catch (const UsageError&) {  // of an earlier version, whose options are other ones
    return false;
  }
}

}  // namespace

std::string data_identity(const data::Dataset& dataset, bool shard_local) {
  const data::Description& description = dataset.description();
  nlohmann::ordered_json json{{"samples", fmt::format("{}", dataset.size())},
                              {"classes", fmt::format("{}", description.classes)},
                              {"latents", fmt::format("{}x{}x{}", description.channels,
                                                      description.height, description.width)},
                              {"flipped copy", description.flipped ? "yes" : "no"}};
  json[dataset.options().normalize ? "checksum of normalized values" : "checksum of values"] =
      values_checksum(dataset);
  json["checksum of labels"] = labels_checksum(dataset);
  for (std::size_t i = 0; i < dataset.arrays().size(); ++i) {
    json["checksum of array " + dataset.options().arrays[i].name] = array_checksum(dataset, i);
    if (dataset.options().arrays[i].name == data::kTextRequest) {
      json[kNullTextIdentity] = TextSpace::of(description.text, "").null_checksum;
    }
  }
  if (shard_local) {
    const std::vector<std::uint64_t> sizes = dataset.shard_sizes();
    json["checksum of shard sizes"] = checksum_text(checksum_of(std::span(sizes)));
  }
  return dump_json(json);
}

std::vector<OptionChange> changes_between(const RunIdentity& before, const RunIdentity& after,
                                          const std::string& where) {
  TrainConfig config;
  OptionSet options("train", "");
  config.declare(options);
  options.read(parse_ini(after.configuration, "configuration"));
  const IniFile earlier_options = with_former_latents(parse_ini(before.configuration, where));
  auto changes = options.changes_since(earlier_options);
  if (const auto other = other_sum(config.train, changes)) changes.push_back(*other);
  const auto earlier = parse_identity(before.data), present = parse_identity(after.data);
  const auto of_model = [](const OptionChange& one) { return one.name.starts_with("model."); };
  if (std::ranges::any_of(changes, of_model) &&
      is_same_model(earlier_options, config.model, present)) {
    std::erase_if(changes, of_model);
  }
  for (const auto& [name, value] : present.items()) {
    const auto known = earlier.find(name);
    if (known == earlier.end() || *known == value) continue;
    changes.push_back({"data set's " + name, known->is_string() ? known->get<std::string>() : "?",
                       value.get<std::string>()});
  }
  return changes;
}

std::string text_of(std::span<const OptionChange> changes) {
  std::string text;
  for (const OptionChange& change : changes) {
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {} -> {}", change.name, change.before, change.after);
  }
  return text;
}

bool agreed_at_terminal(const std::string& question) {
  if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return false;
  log::flush();
  std::cerr << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

}  // namespace edt
