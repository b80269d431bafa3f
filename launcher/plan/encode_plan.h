// How long a set of pictures takes to encode on a cluster.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/plan/autoencoder_run.h"
#include "model/plan/cluster.h"

namespace edt {

struct EncodeWork {
  std::uint64_t pictures = 0;
  std::int64_t side = 256;  // pixels
  int ranks = 1;            // a device each
  // Pictures/s of a device in one orientation, as edt bench vae measures them; 0: estimated from
  // the rate of its products.
  double rate = 0;
};

struct EncodePlan {
  EncodeWork work;
  std::string autoencoder;
  bool flipped = true;        // mirrored pictures too
  double flops = 0;           // of one picture in one orientation
  double bytes = 0;           // of a rank: weights and one picture on its way
  double stored_bytes = 0;    // of a sample, in float16
  double device_seconds = 0;  // of one picture in all orientations

  double pictures_per_second() const { return work.ranks / device_seconds; }
  double seconds() const { return static_cast<double>(work.pictures) / pictures_per_second(); }
};

// UsageError where the pictures are of a size that the autoencoder does not take.
EncodePlan plan_encoding(const AutoencoderSource& load, const EncodeWork& work,
                         const Cluster& cluster);

std::string encode_text(const EncodePlan& plan, const Cluster& cluster);
nlohmann::ordered_json encode_json(const EncodePlan& plan, const Cluster& cluster);

}  // namespace edt
