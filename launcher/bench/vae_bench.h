// How fast an autoencoder encodes and decodes, beside the library's convolutions alone.
#pragma once

#include <cstdint>
#include <vector>

#include "model/autoencoder/autoencoder.h"

namespace edt {

struct VaeBenchRequest {
  bool decodes = false;
  std::int64_t side = 256;    // pixels
  std::int64_t pictures = 1;  // of a round, one after the other
  double seconds = 5;         // at least two rounds
};

struct VaeBenchResult {
  std::size_t rounds = 0;
  double seconds = 0;  // of a round, the median
  double fastest_seconds = 0;
  double ceiling_seconds = 0;  // of all its convolutions by the library alone; 0: there is none
  double flops = 0;            // of a round, as the definitions of the layers have them
  std::size_t peak_bytes = 0;

  // The library does the same convolutions in this part of the time. Above 1 it is where doubled
  // pictures are convolved with fewer products than the library's way needs.
  double share() const { return ceiling_seconds / seconds; }
};

// Both in turns, so that both see the same machine.
VaeBenchResult bench_autoencoder(Autoencoder& vae, Backend& backend, DType dtype,
                                 const VaeBenchRequest& request);

}  // namespace edt
