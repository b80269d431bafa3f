#include "model/mdtv2/config.h"

#include "core/base/error.h"
#include "model/blocks/grid_checks.h"

namespace edt {
void Mdtv2Config::validate() const {
  validate_common();
  refuse_single_modulation();
  refuse_uneven_blocks();
  refuse_gates();
  require<UsageError>(needs_grid().empty(), "model",
                      "{} needs the whole grid of tokens, and {} drops some of them", needs_grid(),
                      name);
  attention.validate({width});
  check_one_grid(*this, encoder_depth + decoder_depth, width, heads);
  require<UsageError>(encoder_depth >= 2 && encoder_depth % 2 == 0 && decoder_depth >= 1, "model",
                      "model.depths is {},{}: an even number of encoder blocks and at least one "
                      "decoder block are needed",
                      encoder_depth, decoder_depth);
  mask_ratio.validate("model.mask-ratio");
  require<UsageError>(visible_tokens(mask_ratio.high) >= 1, "model",
                      "model.mask-ratio {} leaves none of {} tokens", mask_ratio.high,
                      patches().tokens());
}

std::int64_t Mdtv2Config::visible_tokens(float ratio) const {
  return static_cast<std::int64_t>(static_cast<float>(patches().tokens()) * (1.0f - ratio));
}

}  // namespace edt
