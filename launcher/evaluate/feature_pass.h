// Features of all pictures of a source, computed by all ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "launcher/evaluate/picture_source.h"
#include "model/evaluation/inception.h"
#include "parallel/comm/communicator.h"

namespace edt {

struct FeaturePass {
  InceptionResize resize = InceptionResize::kAdm;
  std::int64_t pictures = 0;  // the first ones of the source
  // On the first rank, for the next pictures in their order: what a picture is worth depends
  // neither on the number of ranks nor on where it was computed.
  std::function<void(const InceptionFeatures&)> sink;
};

// The sides of pictures, in pixels.
struct PictureSizes {
  std::int32_t least_width = 0, most_width = 0, least_height = 0, most_height = 0;

  bool are_mixed() const { return least_width != most_width || least_height != most_height; }
  std::string text() const;  // "48 x 48 to 64 x 96 pixels"
};

// All ranks call it, and get the same. DataError on all of them where one cannot read a picture, or
// where the first pictures are of 0 and 1 alone: someone has cast numbers between them to bytes.
PictureSizes run_features(PictureSource& source, Inception& network, Communicator& ranks,
                          const FeaturePass& pass);

}  // namespace edt
