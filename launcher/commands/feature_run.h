// Features of the pictures of a source, with progress on the first rank, and references of them.
#pragma once

#include <memory>
#include <optional>

#include "core/ops/backend.h"
#include "launcher/commands/evaluate_options.h"
#include "launcher/evaluate/picture_source.h"

namespace edt {

class FeatureRun {
 public:
  FeatureRun(CommandContext& context, const NetworkOptions& options, Backend& backend);

  Inception& network() { return network_; }
  // The first `most` pictures (0: all). On rank 0 the collector has them afterwards.
  void collect(PictureSource& source, std::int64_t most, FeatureCollector& collector);
  // What was seen of pictures that makes figures of them doubtful.
  const std::vector<std::string>& notes() const { return notes_; }
  // All pictures of the source; DataError for fewer than two.
  FeatureSet set_of(PictureSource& source);
  // Where a file holds statistics and pictures (as ADM's), the statistics count, and the pictures
  // give the features of neighbours. `stored`: what stored_reference() found at `path`.
  FeatureSet reference(std::optional<FeatureSet> stored, const std::filesystem::path& path);

 private:
  CommandContext& context_;
  Inception network_;
  InceptionResize resize_;
  std::int64_t kept_;
  std::vector<std::string> notes_;
};

// What is stored of a reference; none: it is pictures. UsageError where there is nothing.
std::optional<FeatureSet> stored_reference(const std::filesystem::path& reference);

// DataError for fewer than two.
void require_pictures(const PictureSource& source, std::int64_t count);

}  // namespace edt
