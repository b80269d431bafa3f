#include "launcher/commands/feature_options.h"

#include "core/base/error.h"

namespace edt {

void declare_features(OptionSet& options, data::FeatureOptions& features) {
  options.add("features", &features.features,
              "arrays that go beside the latents, as features of the same pictures in the same "
              "order: NAME=PATH,..., each a file of [N, ...] or a folder of such");
  options.add("flipped-features", &features.flipped_features,
              "likewise, of mirrored pictures: NAME=PATH,...; not given: beside the others, if "
              "there are any");
  options.add("features-key", &features.keys,
              "names within .npz, .safetensors and HDF5: NAME=KEY,...; not given: NAME or "
              "features, with _flip, _flipped or _hflip for mirrored pictures");
  options.add(
      "features-dtype", &features.type,
      {{"float16", h5::Type::kFloat16}, {"float32", h5::Type::kFloat32}, {"int8", h5::Type::kInt8}},
      "of stored features; int8: with a scale for each row of their last dimension");
}

void check_features(const OptionSet& options, const data::FeatureOptions& features) {
  for (const char* name : {"flipped-features", "features-key", "features-dtype"}) {
    require<UsageError>(features.any() || !options.given(name), "features",
                        "--{} has no effect without --features", name);
  }
}

}  // namespace edt
