// What a model is judged by beside its training loss.
#pragma once

#include <array>

#include "launcher/watch/metrics_record.h"

namespace edt {

struct JudgedFigure {
  const char *key, *name;  // in metrics.jsonl, for people
  double MetricsRecord::*value;
};
inline constexpr std::array kJudgedFigures{
    JudgedFigure{"held_out_loss", "held-out loss", &MetricsRecord::held_out_loss},
    JudgedFigure{"fid", "FID", &MetricsRecord::fid},
    JudgedFigure{"latent_frechet", "latent Frechet distance", &MetricsRecord::latent_frechet},
    JudgedFigure{"precision", "precision", &MetricsRecord::precision},
    JudgedFigure{"recall", "recall", &MetricsRecord::recall}};

}  // namespace edt
