#include "data/inspect.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/image/png.h"
#include "core/storage/checksum.h"
#include "data/dataset.h"
#include "data/decoder.h"
#include "data/text_file.h"

namespace edt::data {

namespace {

nlohmann::ordered_json json_of(const TextDescription& text) {
  if (!text.present()) return {};
  return {{"tokens", text.tokens},
          {"channels", text.channels},
          {"null_tokens", text.null_tokens()},
          {"captions", text.captions},
          {"encoder", text.encoder}};
}

// Reads all of a file of texts.
VerifyReport verify_texts(const std::filesystem::path& path) {
  VerifyReport report;
  report.is_of_texts = true;
  report.shards = 1;
  try {
    const TextFile texts(path);
    texts.verify();
    report.samples = texts.size();
    report.without_checksums += texts.has_checksums() ? 0 : 1;
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    report.problems.emplace_back(error.what());
  }
  return report;
}

}  // namespace

DatasetInfo describe(const std::filesystem::path& path) {
  const Dataset dataset(path);
  DatasetInfo info;
  info.path = path;
  info.description = dataset.description();
  info.samples = dataset.size();
  info.shards = dataset.shards().size();
  info.slow_layout = dataset.slow_layout();
  info.class_counts.resize(static_cast<std::size_t>(info.description.classes));
  for (const auto& shard : dataset.shards()) {
    info.bytes += std::filesystem::file_size(shard->path());
    info.sealed_shards += shard->sealed();
    info.checked_shards += shard->has_checksums();
    for (std::int32_t label : shard->labels()) ++info.class_counts[static_cast<std::size_t>(label)];
  }
  return info;
}

nlohmann::ordered_json to_json(const DatasetInfo& info) {
  const Description& d = info.description;
  const auto [fewest, most] =
      std::minmax_element(info.class_counts.begin(), info.class_counts.end());
  auto arrays = nlohmann::ordered_json::array();
  for (const SampleArray& array : d.arrays) {
    arrays.push_back({{"name", array.name},
                      {"shape", array.shape},
                      {"dtype", h5::name_of(array.type)},
                      {"flipped", array.flipped}});
  }
  return {{"path", info.path.string()},
          {"samples", info.samples},
          {"shards", info.shards},
          {"bytes", info.bytes},
          {"format_version", kFormatVersion},
          {"holds", d.array_name()},
          {"channels", d.channels},
          {"height", d.height},
          {"width", d.width},
          {"dtype", h5::name_of(d.type)},
          {"image_size", d.image_size},
          {"classes", d.classes},
          {"class_names", d.class_names},
          {"samples_per_class", {{"fewest", *fewest}, {"most", *most}}},
          {"scale", d.scale},
          {"flipped", d.flipped},
          {"arrays", arrays},
          {"text", json_of(d.text)},
          {"decoder", d.decoder.present()},
          {"channel_mean", d.channel_mean},
          {"channel_std", d.channel_std},
          {"sealed_shards", info.sealed_shards},
          {"shards_with_checksums", info.checked_shards},
          {"source", d.source}};
}

TextInfo describe_texts(const std::filesystem::path& path) {
  const TextFile texts(path);
  const std::vector<half_bits>& null = *texts.description().null;
  return {.path = path,
          .description = texts.description(),
          .texts = texts.size(),
          .bytes = std::filesystem::file_size(path),
          .null_checksum = checksum_text(checksum_of(std::span<const half_bits>(null)))};
}

nlohmann::ordered_json to_json(const TextInfo& info) {
  return {{"path", info.path.string()},
          {"texts", info.texts},
          {"bytes", info.bytes},
          {"text", json_of(info.description)},
          {"null_text_checksum", info.null_checksum}};
}

void write_pictures(const std::filesystem::path& path, const std::filesystem::path& png) {
  constexpr int kColumns = 8, kRows = 12;
  const Dataset dataset(path);
  const Decoder decoder(dataset.description(), false);
  const int rows = std::min(dataset.description().classes, kRows);
  std::vector<Image> images(static_cast<std::size_t>(rows) * kColumns);
  std::vector<int> found(static_cast<std::size_t>(rows), 0);
  std::vector<float> latent(dataset.description().latent_elements());
  ReadScratch scratch;
  int missing = rows * kColumns;
  for (std::uint64_t i = 0; i < dataset.size() && missing > 0; ++i) {
    const auto row = static_cast<std::size_t>(dataset.label(i));
    if (row >= found.size() || found[row] == kColumns) continue;
    const std::vector<SampleRef> refs{{.index = i}};
    dataset.read(refs, 0, scratch, latent);
    images[row * kColumns + static_cast<std::size_t>(found[row]++)] = decoder.decode_all(latent)[0];
    --missing;
  }
  const Image blank = decoder.decode_all(std::vector<float>(latent.size()))[0];
  for (Image& image : images) {
    if (image.width == 0) image = Image(blank.width, blank.height, 255);
  }
  write_png(png, make_grid(images, kColumns));
}

VerifyReport verify(const std::filesystem::path& path, const Progress& progress) {
  if (is_text_file(path)) return verify_texts(path);
  VerifyReport report;
  const std::vector<std::filesystem::path> files = list_shards(path);
  for (const auto& file : files) {
    try {
      const Shard shard(file);
      shard.verify();
      report.samples += shard.size();
      report.without_checksums += !shard.has_checksums();
    } catch (const UsageError&) {  // a limit of this process: nothing is wrong with the shard
      throw;
    } catch (const Error& error) {
      report.problems.emplace_back(error.what());
    }
    ++report.shards;
    if (progress) progress(report.shards, files.size());
  }
  if (!report.problems.empty()) return report;
  try {
    const Dataset together(path);
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    report.problems.emplace_back(error.what());
  }
  return report;
}

nlohmann::ordered_json to_json(const VerifyReport& report) {
  return {{"intact", report.problems.empty()},
          {report.is_of_texts ? "files" : "shards", report.shards},
          {report.is_of_texts ? "texts" : "samples", report.samples},
          {"shards_without_checksums", report.without_checksums},
          {"problems", report.problems}};
}

}  // namespace edt::data
