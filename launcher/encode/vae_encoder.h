// An autoencoder as what encodes a data set.
#pragma once

#include <memory>

#include "data/pictures/encoder.h"
#include "model/autoencoder/autoencoder.h"

namespace edt {

class VaeEncoder : public data::Encoder {
 public:
  // UsageError where the file holds no encoder.
  VaeEncoder(std::unique_ptr<Autoencoder> autoencoder, Backend& backend,
             const AutoencoderOptions& options);

  const data::EncoderInfo& info() const override { return info_; }
  void encode(std::span<const std::uint8_t> pictures, int count, int size,
              std::span<float> out) override;

  // Seconds that the library's convolutions alone take of a picture of this side, measured now; 0
  // where there is none to measure against.
  double ceiling_seconds(int size);

 private:
  std::unique_ptr<Autoencoder> autoencoder_;
  Backend& backend_;
  data::EncoderInfo info_;
};

}  // namespace edt
