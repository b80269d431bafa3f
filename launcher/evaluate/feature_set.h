// What is kept of a set of pictures to compare it with another, and its file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launcher/evaluate/latent_features.h"
#include "model/evaluation/inception.h"
#include "model/evaluation/moments.h"

namespace edt {

// Whose features a set has: Inception's of pictures; means of latents; those of a network that is
// not known here, from a file.
enum class FeatureKind : std::uint8_t { kInception, kLatents, kTable };

// Of all its pictures, and of its first ones the features themselves, for what takes neighbours.
struct FeatureSet {
  std::string source;                     // for people
  std::optional<std::uint64_t> network;   // checksum of Inception's weights; none: not known
  std::optional<InceptionResize> resize;  // none: not known
  std::optional<LatentFeatures> latents;  // none: it is no set of latents
  bool is_table = false;
  bool has_pictures = false;  // the file that statistics came from holds some as well
  FeatureStatistics pooled;
  std::optional<FeatureStatistics> spatial;  // none: not there
  std::vector<float> features;               // [kept, width of pooled]

  FeatureKind kind() const {
    if (latents) return FeatureKind::kLatents;
    return is_table ? FeatureKind::kTable : FeatureKind::kInception;
  }
  Features kept() const { return {features, pooled.width()}; }
};

// Takes features as they come.
class FeatureCollector {
 public:
  // Keeps the features of the first `kept` pictures.
  explicit FeatureCollector(std::int64_t kept);
  void add(const InceptionFeatures& more);
  std::int64_t count() const { return pooled_.count(); }
  const std::vector<float>& logits() const { return logits_; }  // of all
  // DataError for fewer than two pictures.
  FeatureSet finish(std::string source, std::uint64_t network, InceptionResize resize);

 private:
  std::int64_t kept_;
  FeatureMoments pooled_, spatial_;
  std::vector<float> features_, logits_;
};

// The same of latents.
class LatentCollector {
 public:
  LatentCollector(LatentFeatures latents, std::int64_t kept);
  void add(const Features& more);
  std::int64_t count() const { return moments_.count(); }
  FeatureSet finish(std::string source);

 private:
  LatentFeatures latents_;
  std::int64_t kept_;
  FeatureMoments moments_;
  std::vector<float> features_;
};

// HDF5, complete or absent: what `edt evaluate reference` writes.
void write_feature_set(const FeatureSet& set, const std::filesystem::path& file);

// Such a file, or statistics in an .npz: ADM's (mu, sigma, mu_s, sigma_s) or pytorch-fid's (mu,
// sigma). Without features of its own. DataError that names what is missing or of another shape.
FeatureSet read_feature_set(const std::filesystem::path& file);
// Whether the file is one of these: an .npz with mu, or HDF5 under any name.
bool is_feature_set(const std::filesystem::path& file);

}  // namespace edt
