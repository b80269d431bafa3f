#include "model/mdtv2/config.h"

#include "core/base/error.h"
#include "model/blocks/grid_checks.h"
#include "model/blocks/matmul_list.h"

namespace edt {
namespace {

// Walks through the parts of the model.
class Products {
 public:
  Products(const Mdtv2Config& config, int tensor_ranks) : c_(config), list_(tensor_ranks) {}

  // For `images` conditions, whatever the number of tokens; blocks on `side` of them.
  void conditions(std::int64_t images, std::int64_t side) {
    list_.embeddings(c_, images, c_.patches(), c_.width);
    list_.modulations(images, 6 * c_.width, c_.width, c_.encoder_depth + c_.decoder_depth);
    if (side > 0) list_.modulations(side, 6 * c_.width, c_.width);
  }
  void encoder(std::int64_t images, std::int64_t tokens) {
    list_.blocks({images, tokens, c_.width, c_.heads, c_.mlp_ratio, c_.encoder_depth});
    list_.linear(images * tokens, c_.width, 2 * c_.width, c_.encoder_depth / 2);
  }
  void side_block(std::int64_t images) {
    list_.blocks({images, c_.patches(), c_.width, c_.heads, c_.mlp_ratio, 1});
  }
  void decoder(std::int64_t images) {
    list_.blocks({images, c_.patches(), c_.width, c_.heads, c_.mlp_ratio, c_.decoder_depth});
    list_.linear(images * c_.patches(), c_.width, 2 * c_.width, c_.decoder_depth);
    list_.final_layer(c_, images, c_.patches(), c_.width);
  }
  std::vector<MatmulUse> take() { return list_.take(); }

 private:
  const Mdtv2Config& c_;
  MatmulList list_;
};

}  // namespace

void Mdtv2Config::check_image_size(std::int64_t pixels) const { check_patches(*this, pixels); }

void Mdtv2Config::validate() const {
  validate_common();
  check_one_grid(*this, encoder_depth + decoder_depth, width, heads);
  require<UsageError>(encoder_depth >= 2 && encoder_depth % 2 == 0 && decoder_depth >= 1, "model",
                      "model.depths is {},{}: an even number of encoder blocks and at least one "
                      "decoder block are needed",
                      encoder_depth, decoder_depth);
  mask_ratio.validate("model.mask-ratio");
  require<UsageError>(kept_tokens(mask_ratio.high) >= 1, "model",
                      "model.mask-ratio {} leaves none of {} tokens", mask_ratio.high, patches());
}

std::int64_t Mdtv2Config::kept_tokens(float ratio) const {
  return static_cast<std::int64_t>(static_cast<float>(patches()) * (1.0f - ratio));
}

std::vector<MatmulUse> Mdtv2Config::forward_matmuls(std::int64_t images, int tensor_ranks) const {
  Products products(*this, tensor_ranks);
  products.conditions(images, 0);
  products.encoder(images, patches());
  products.decoder(images);
  return products.take();
}

std::vector<MatmulUse> Mdtv2Config::masked_matmuls(std::int64_t images, std::int64_t kept,
                                                   int tensor_ranks) const {
  Products products(*this, tensor_ranks);
  products.conditions(images, images);
  products.encoder(images, kept);
  products.side_block(images);
  products.decoder(images);
  return products.take();
}

std::vector<MatmulUse> Mdtv2Config::training_matmuls(std::int64_t images, std::int64_t kept,
                                                     int tensor_ranks) const {
  Products products(*this, tensor_ranks);
  products.conditions(2 * images, images);
  products.encoder(images, patches());
  products.encoder(images, kept);
  products.side_block(images);
  products.decoder(2 * images);
  return products.take();
}

}  // namespace edt
