// Features of all pictures of a source, computed by all ranks.
#pragma once

#include <cstdint>
#include <functional>

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

// All ranks call it. DataError on all of them where one cannot read a picture.
void run_features(PictureSource& source, Inception& network, Communicator& ranks,
                  const FeaturePass& pass);

}  // namespace edt
