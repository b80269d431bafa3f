// How long a set of pictures takes to encode on a cluster.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/autoencoder/autoencoder.h"
#include "model/plan/cluster.h"

namespace edt {

struct EncodePlan {
  std::string autoencoder;
  std::uint64_t pictures = 0;
  std::int64_t side = 256;    // pixels
  bool flipped = true;        // mirrored pictures too
  double flops = 0;           // of one picture in one orientation
  double stored_bytes = 0;    // of a sample, in float16
  int ranks = 1;              // a device each
  double device_seconds = 0;  // of one picture in all orientations

  double pictures_per_second() const { return ranks / device_seconds; }
  double seconds() const { return static_cast<double>(pictures) / pictures_per_second(); }
};

// FLOPs of encoding a picture of this side, counted on a pass: of the picture itself up to 256
// pixels, else extrapolated from smaller ones. They grow with the pixels, those of attention with
// their square.
double encode_flops(Autoencoder& autoencoder, std::int64_t side);

EncodePlan plan_encoding(Autoencoder& autoencoder, std::uint64_t pictures, std::int64_t side,
                         int ranks, const Cluster& cluster);

std::string encode_text(const EncodePlan& plan, const Cluster& cluster);
nlohmann::ordered_json encode_json(const EncodePlan& plan, const Cluster& cluster);

}  // namespace edt
