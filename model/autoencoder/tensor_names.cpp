#include "model/autoencoder/tensor_names.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "core/base/error.h"
#include "core/storage/safetensors.h"

namespace edt {
namespace {

using Words = std::vector<std::string>;

Words split(std::string_view name) {
  Words words;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    words.emplace_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::optional<std::int64_t> number(const std::string& word) {
  if (word.empty() || word.size() > 4 || word.find_first_not_of("0123456789") != word.npos) {
    return std::nullopt;
  }
  return std::stoll(word);
}

// words[i] by its name in the other naming, where there is one.
void rename(std::string& word, const std::map<std::string, std::string>& names) {
  const auto found = names.find(word);
  if (found != names.end()) word = found->second;
}

const std::map<std::string, std::string> kAttentionOfLdm{
    {"norm", "group_norm"}, {"q", "to_q"}, {"k", "to_k"}, {"v", "to_v"}, {"proj_out", "to_out.0"}};
const std::map<std::string, std::string> kAttentionOf2022{
    {"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}};

std::string joined(const Words& words) { return fmt::format("{}", fmt::join(words, ".")); }

// A level's part in ldm, words 3 and on of encoder.down.I.block.J...: as in diffusers.
Words level_part(Words words, const char* sampler) {
  if (words[0] == "block" && words.size() > 2) {
    words[0] = "resnets";
    rename(words[2], {{"nin_shortcut", "conv_shortcut"}});
  } else if (words[0] == "attn" && words.size() > 2) {
    words[0] = "attentions";
    rename(words[2], kAttentionOfLdm);
  } else if (words[0] == "downsample" || words[0] == "upsample") {
    words[0] = std::string(sampler) + ".0";
  }
  return words;
}

Words middle_part(Words words) {
  if (words[0] == "block_1" || words[0] == "block_2") {
    words[0] = words[0] == "block_1" ? "resnets.0" : "resnets.1";
    if (words.size() > 1) rename(words[1], {{"nin_shortcut", "conv_shortcut"}});
  } else if (words[0] == "attn_1" && words.size() > 1) {
    words[0] = "attentions.0";
    rename(words[1], kAttentionOfLdm);
  }
  return words;
}

// The name of today for a name of ldm; `levels` of the half.
std::string from_ldm(const std::string& name, std::int64_t levels) {
  Words words = split(name);
  if (words.size() < 3) return name;
  const bool encoder = words[0] == "encoder";
  if (words[1] == "mid") {
    const Words part = middle_part({words.begin() + 2, words.end()});
    return fmt::format("{}.mid_block.{}", words[0], joined(part));
  }
  if ((words[1] == "down" || words[1] == "up") && words.size() > 3 && number(words[2])) {
    // ldm numbers the decoder's by level and runs through them backwards.
    const std::int64_t level = *number(words[2]);
    const std::int64_t place = encoder ? level : levels - 1 - level;
    const Words part =
        level_part({words.begin() + 3, words.end()}, encoder ? "downsamplers" : "upsamplers");
    return fmt::format("{}.{}_blocks.{}.{}", words[0], words[1], place, joined(part));
  }
  rename(words[1], {{"norm_out", "conv_norm_out"}});
  return joined(words);
}

std::string from_2022(const std::string& name) {
  Words words = split(name);
  const auto at = std::find(words.begin(), words.end(), "attentions");
  if (words.end() - at > 2) rename(at[2], kAttentionOf2022);
  return joined(words);
}

bool is_part_of_autoencoder(std::string_view name) {
  for (const std::string_view part : {"encoder.", "decoder.", "quant_conv.", "post_quant_conv."}) {
    if (name.starts_with(part)) return true;
  }
  return false;
}

// Every autoencoder but the original TAESD has one of these.
constexpr std::string_view kMarks[] = {"encoder.conv_in.weight", "decoder.conv_in.weight",
                                       "encoder.layers.0.weight", "decoder.layers.0.weight"};

// A text encoder may have an encoder.layers.0 too; an autoencoder's first layer has square kernels.
bool is_mark(const SafetensorsEntry& entry, std::string_view mark) {
  if (!entry.name.ends_with(mark)) return false;
  const std::size_t before = entry.name.size() - mark.size();
  return (before == 0 || entry.name[before - 1] == '.') && entry.shape.size() == 4;
}

std::set<std::string> prefixes_in(const SafetensorsReader& reader) {
  std::set<std::string> found;
  for (const SafetensorsEntry& entry : reader.entries()) {
    for (const std::string_view mark : kMarks) {
      if (is_mark(entry, mark)) found.insert(entry.name.substr(0, entry.name.size() - mark.size()));
    }
  }
  return found;
}

// Names as TAESD's author has them: N.weight, N.conv.M.weight.
bool has_numbered_layers(const SafetensorsReader& reader) {
  return !reader.entries().empty() &&
         std::ranges::all_of(reader.entries(), [](const SafetensorsEntry& entry) {
           return number(split(entry.name)[0]).has_value();
         });
}

Shape shape_of(const SafetensorsEntry& entry, const std::string& file) {
  require<DataError>(entry.shape.size() <= 4 && !entry.shape.empty(), "vae",
                     "{}: {} has {} axes, 1 to 4 are expected", file, entry.name,
                     entry.shape.size());
  Shape shape;
  for (const std::uint64_t n : entry.shape) shape.append(static_cast<std::int64_t>(n));
  return shape;
}

void add(AutoencoderTensors& tensors, const std::shared_ptr<SafetensorsReader>& reader,
         const SafetensorsEntry& entry, const std::string& name) {
  require<DataError>(is_floating(entry.type), "vae", "{}: {} is of {}, not of a floating type",
                     tensors.label(), entry.name, name_of(entry.type));
  tensors.add(name, entry.name, shape_of(entry, tensors.label()),
              [reader, &entry](std::span<float> out) { reader->read(entry, 0, out); });
}

// diffusers leaves out the decoder's first module, which has no weights.
NamedTensors numbered(const std::shared_ptr<SafetensorsReader>& reader, const std::string& label) {
  const SafetensorsEntry* first = reader->find("0.weight");
  const bool encoder = first != nullptr;
  NamedTensors result{AutoencoderKind::kTaesd, AutoencoderTensors(label), "taesd", {}, 0};
  for (const SafetensorsEntry& entry : reader->entries()) {
    Words words = split(entry.name);
    const std::int64_t layer = *number(words[0]) - (encoder ? 0 : 1);
    require<DataError>(layer >= 0, "vae", "{}: {} in a decoder without 0.weight", label,
                       entry.name);
    words[0] = fmt::format("{}.layers.{}", encoder ? "encoder" : "decoder", layer);
    add(result.tensors, reader, entry, joined(words));
  }
  return result;
}

// Tensors behind the prefix by their names there.
std::map<std::string, const SafetensorsEntry*> behind(const SafetensorsReader& reader,
                                                      const std::string& prefix) {
  std::map<std::string, const SafetensorsEntry*> found;
  for (const SafetensorsEntry& entry : reader.entries()) {
    if (!entry.name.starts_with(prefix)) continue;
    const std::string name = entry.name.substr(prefix.size());
    if (is_part_of_autoencoder(name)) found.emplace(name, &entry);
  }
  return found;
}

std::int64_t levels_of(const std::map<std::string, const SafetensorsEntry*>& found) {
  std::int64_t levels = 0;
  for (const auto& [name, entry] : found) {
    const Words words = split(name);
    if (words.size() < 3 || words[0] != "decoder" || words[1] != "up") continue;
    if (const auto level = number(words[2])) levels = std::max(levels, *level + 1);
  }
  return levels;
}

bool any_has(const std::map<std::string, const SafetensorsEntry*>& found,
             std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(found, [&](const auto& tensor) {
    return std::ranges::any_of(
        parts, [&](std::string_view part) { return tensor.first.find(part) != std::string::npos; });
  });
}

AutoencoderKind kind_of(const std::map<std::string, const SafetensorsEntry*>& found) {
  if (any_has(found, {"encoder.layers.", "decoder.layers."})) return AutoencoderKind::kTaesd;
  return any_has(found, {".mid.", ".mid_block."}) ? AutoencoderKind::kKl : AutoencoderKind::kDcAe;
}

}  // namespace

NamedTensors read_autoencoder_tensors(const std::filesystem::path& file) {
  const auto reader = std::make_shared<SafetensorsReader>(file);
  const std::string label = file.string();
  if (has_numbered_layers(*reader)) return numbered(reader, label);
  const std::set<std::string> prefixes = prefixes_in(*reader);
  require<DataError>(!prefixes.empty(), "vae",
                     "{}: no autoencoder: of {} tensors none is {} or the first layer of a TAESD",
                     label, reader->entries().size(), kMarks[0]);
  require<DataError>(prefixes.size() == 1, "vae", "{}: {} autoencoders, behind '{}'", label,
                     prefixes.size(), fmt::join(prefixes, "', '"));
  const std::string prefix = *prefixes.begin();
  const auto found = behind(*reader, prefix);
  NamedTensors result{kind_of(found), AutoencoderTensors(label), "diffusers", prefix,
                      reader->entries().size() - found.size()};
  const bool ldm =
      result.kind == AutoencoderKind::kKl && any_has(found, {".mid.", ".down.0.", ".up.0."});
  const bool old = !ldm && any_has(found, {".proj_attn."});
  if (ldm) result.layout = "ldm";
  if (old) result.layout = "diffusers of 2022";
  const std::int64_t levels = levels_of(found);
  for (const auto& [name, entry] : found) {
    add(result.tensors, reader, *entry,
        ldm   ? from_ldm(name, levels)
        : old ? from_2022(name)
              : name);
  }
  return result;
}

}  // namespace edt
