// What turns pictures into what a data set stores: the seam between data and autoencoders.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace edt::data {

// Latents as they are stored are (z - shift) * scale; moments keep the scale for the draw.
struct EncoderInfo {
  std::string name;
  std::uint64_t checksum = 0;  // of what shapes latents; 0: not known
  std::string settings;        // that shape latents beside: "tiles 0"; for the record
  int channels = 4;            // of a latent
  int factor = 8;              // pixels to a latent, along each side
  bool moments = true;         // mean and standard deviation; else z itself
  double scale = 1, shift = 0;
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual const EncoderInfo& info() const = 0;
  // `count` pictures [size, size, 3] -> [count, channels or 2 channels, size / factor, size /
  // factor]: neither scaled nor shifted. What a picture gives depends on nothing else.
  virtual void encode(std::span<const std::uint8_t> pictures, int count, int size,
                      std::span<float> out) = 0;
};

}  // namespace edt::data
