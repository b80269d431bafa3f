// How fast an autoencoder encodes and decodes, beside the library's convolutions alone.
#pragma once

#include <cstdint>
#include <vector>

#include "launcher/bench/ceiling_turns.h"
#include "model/autoencoder/autoencoder.h"

namespace edt {

struct VaeBenchRequest {
  bool decodes = false;
  std::int64_t side = 256;    // pixels
  std::int64_t pictures = 1;  // of a round, one after the other
  double seconds = 5;         // at least two rounds
};

// The share is above 1 where doubled pictures are convolved with fewer products than the library's
// way needs.
struct VaeBenchResult : CeilingTurns {
  double flops = 0;  // of a round, as the definitions of the layers have them
  std::size_t peak_bytes = 0;
};

VaeBenchResult bench_autoencoder(Autoencoder& vae, Backend& backend, DType dtype,
                                 const VaeBenchRequest& request);

}  // namespace edt
