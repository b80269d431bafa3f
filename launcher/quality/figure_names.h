// How the figures of a study are called.
#pragma once

#include <array>

#include "launcher/quality/curves.h"

namespace edt {

struct FigureName {
  Figure figure;
  const char *key, *name, *title;
};
inline constexpr std::array kFigures{
    FigureName{Figure::kHeldOut, "held_out_error", "error of the noise",
               "Error of the predicted noise on held-out samples"},
    FigureName{Figure::kLatentDistance, "latent_distance", "distance of latents",
               "Frechet distance of latents (no FID)"},
    FigureName{Figure::kFid, "fid", "FID", "FID of as many samples as were drawn"}};

constexpr const FigureName& naming(Figure figure) {
  return kFigures[static_cast<std::size_t>(figure)];
}

}  // namespace edt
