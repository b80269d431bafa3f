// Named sets of parameters that methods add to a network: heads that read its tokens, prototypes.
// Initial weights are keyed by the part and the place in it, so that a part changes no weight of
// the network, nor of another part.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace edt {

enum class PartUse {
  kAlways,   // the network computes with it
  kTraining  // only training does: it is neither sampled nor exported
};

struct PartKind {
  std::string_view name;
  PartUse use;
};

// A part's place here is in the key of its initial weights: append, never reorder.
inline constexpr std::array kPartKinds{
    PartKind{"", PartUse::kAlways},  // the network itself
    PartKind{"align.latent", PartUse::kTraining},
    PartKind{"align.features", PartUse::kTraining},
    PartKind{"align.teacher", PartUse::kTraining},
    PartKind{"self-distillation", PartUse::kTraining},
    PartKind{"distill", PartUse::kTraining},
    PartKind{"ternary", PartUse::kAlways},  // scales, each behind its weight
    PartKind{"modulation-norm", PartUse::kAlways},
    PartKind{"text", PartUse::kAlways},
    PartKind{"spatial-layer", PartUse::kAlways},
    PartKind{"prune", PartUse::kTraining},  // masks, each in its block
    PartKind{"dynamic", PartUse::kAlways},  // gates, likewise
};

// Place of the part of this name among them; kPartKinds.size() where there is none.
constexpr std::size_t part_index(std::string_view name) {
  std::size_t i = 0;
  while (i < kPartKinds.size() && kPartKinds[i].name != name) ++i;
  return i;
}

}  // namespace edt
