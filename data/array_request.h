// An array beside the latents, as who trains on it wants it, and how it comes from what is stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "data/description.h"
#include "data/token_average.h"

namespace edt::data {

struct ArrayRequest {
  std::string name;
  h5::Shape shape;  // of a sample; empty: as it is stored
};

// One that was found.
struct RequestedArray {
  enum class Kind : std::uint8_t {
    kArray,       // of Description::arrays
    kText,        // the features of a sample's text, with zeros behind its last token
    kTextLength,  // the number of its tokens
  };
  Kind kind = Kind::kArray;
  std::size_t index = 0;  // in Description::arrays
  std::uint64_t elements = 0;
  std::optional<TokenAverage> average = {};  // where fewer tokens were asked for than are stored
};

// DataError with both values, naming `label`: there is no array of that name, or it has another
// shape and is no grid of a whole multiple of the tokens [tokens, dims] that were asked for. A grid
// has the proportions of the latents. "text" [tokens, channels] and "text-length" [1] stand for the
// text of a sample, which must have these channels and no more tokens.
RequestedArray resolve_array(const Description& description, const ArrayRequest& request,
                             const std::string& label);

}  // namespace edt::data
