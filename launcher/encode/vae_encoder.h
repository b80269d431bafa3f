// An autoencoder as what encodes a data set.
#pragma once

#include <memory>

#include "data/pictures/encoder.h"
#include "model/autoencoder/autoencoder.h"

namespace edt {

class VaeEncoder : public data::Encoder {
 public:
  // UsageError where the file holds no encoder.
  explicit VaeEncoder(std::unique_ptr<Autoencoder> autoencoder);

  const data::EncoderInfo& info() const override { return info_; }
  void encode(std::span<const std::uint8_t> pictures, int count, int size,
              std::span<float> out) override;

 private:
  std::unique_ptr<Autoencoder> autoencoder_;
  data::EncoderInfo info_;
};

}  // namespace edt
