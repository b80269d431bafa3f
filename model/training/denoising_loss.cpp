#include "model/training/denoising_loss.h"

#include "core/base/error.h"

namespace edt {
namespace {

// Of row `first` and those behind it, of a tensor of `width` numbers a row.
std::span<float> rows_of(InputBuffers& inputs, std::size_t input, std::size_t first,
                         std::size_t rows, std::size_t width) {
  return inputs.host<float>(input).subspan(first * width, rows * width);
}

Tensor term_of(const Tensor& losses, std::int64_t term) {
  return losses.slice(term, term + 1).reshaped({losses.shape[1]});
}

// Squared error of the noise and the bound that trains the variance, as DDPM networks are
// published.
class BoundedNoise final : public DenoisingLoss {
 public:
  BoundedNoise(const Model& model, const DenoisingLossConfig& config, InputBuffers& inputs,
               std::int64_t rows)
      : process_(model.process()),
        patch_(model.patch()),
        snr_gamma_(config.snr_gamma),
        terms_(loss_terms(process_.config(), config)),
        coefficients_(inputs.add({rows, LossCoefficient::kCount}, DType::kFloat32)) {}

  const std::vector<LossTerm>& terms() const override { return terms_; }

  void fill(InputBuffers& inputs, std::size_t first, std::span<const double> t,
            double) const override {
    std::vector<std::int32_t> steps;
    for (const double time : t) steps.push_back(process_.step(time));
    process_.schedule()->loss_coefficients(
        steps, snr_gamma_,
        rows_of(inputs, coefficients_, first, t.size(), LossCoefficient::kCount));
  }

  std::vector<Var> operator()(Tape& tape, const Var& tokens, InputBuffers& inputs,
                              const NoisedImages& images, const Tensor& losses) const override {
    const Tensor coefficients = inputs.tensor(coefficients_).slice(0, tokens.shape()[0]);
    const LossInputs loss{images.x_start, images.x_t,     images.noise,
                          coefficients,   images.weights, patch_};
    return {diffusion_loss(tape, tokens, loss, term_of(losses, 0), term_of(losses, 1))};
  }

  std::vector<Var> of_group(Tape&, const Var&, const VisibleTokens&, std::int64_t, InputBuffers&,
                            const NoisedImages&, const Tensor&) const override {
    fail<UsageError>("objective", "train.dual-time needs a loss without a variance: a flow");
  }

 private:
  const Process& process_;
  std::int64_t patch_;
  double snr_gamma_;
  std::vector<LossTerm> terms_;
  std::size_t coefficients_;
};

// Squared error of what is predicted, and the direction of a velocity.
class Predicted final : public DenoisingLoss {
 public:
  Predicted(const Model& model, const DenoisingLossConfig& config, InputBuffers& inputs,
            std::int64_t rows)
      : process_(model.process()),
        patch_(model.patch()),
        snr_gamma_(process_.config().discrete() ? config.snr_gamma : 0),
        terms_(loss_terms(process_.config(), config)),
        mix_(inputs.add({rows, 2}, DType::kFloat32)),
        factors_(inputs.add({rows}, DType::kFloat32)),
        ones_(has_direction() ? inputs.add({rows}, DType::kFloat32) : 0) {}

  const std::vector<LossTerm>& terms() const override { return terms_; }

  void fill(InputBuffers& inputs, std::size_t first, std::span<const double> t,
            double share) const override {
    const auto mix = rows_of(inputs, mix_, first, t.size(), 2);
    const auto factors = rows_of(inputs, factors_, first, t.size(), 1);
    for (std::size_t b = 0; b < t.size(); ++b) {
      const auto [of_origin, of_noise] = process_.target(t[b]);
      mix[2 * b] = static_cast<float>(of_origin);
      mix[2 * b + 1] = static_cast<float>(of_noise);
      factors[b] = static_cast<float>(share * process_.snr_weight(t[b], snr_gamma_));
    }
    if (has_direction()) {
      std::ranges::fill(rows_of(inputs, ones_, first, t.size(), 1), static_cast<float>(share));
    }
  }

  std::vector<Var> operator()(Tape& tape, const Var& tokens, InputBuffers& inputs,
                              const NoisedImages& images, const Tensor& losses) const override {
    const Rows all{0, images.x_start.shape[0]};
    const Var target = target_of(tape, tokens.shape()[1], all, inputs, images);
    return means(tape, tokens, target, all, inputs, images, losses);
  }

  std::vector<Var> of_group(Tape& tape, const Var& tokens, const VisibleTokens& group,
                            std::int64_t first, InputBuffers& inputs, const NoisedImages& images,
                            const Tensor& losses) const override {
    const Rows rows{first, first + tokens.shape()[0]};
    const Var kept = tape.make(tokens.shape(), tape.accurate_dtype());
    {
      const Var whole = target_of(tape, group.places.shape[1], rows, inputs, images);
      Profiler::Scope scope(tape.profiler(), "token_loss.forward");
      backend_of(tape).gather_tokens_forward(whole.tensor(), group, kept.tensor());
    }
    return means(tape, tokens, kept, rows, inputs, images, losses);
  }

 private:
  struct Rows {
    std::int64_t first, last;
    Tensor of(const Tensor& tensor) const { return tensor.slice(first, last); }
  };

  // In the order of the tokens of the whole grid.
  Var target_of(Tape& tape, std::int64_t tokens, const Rows& rows, InputBuffers& inputs,
                const NoisedImages& images) const {
    const std::int64_t width = patch_ * patch_ * images.x_start.shape[1];
    Var target = tape.make({rows.last - rows.first, tokens, width}, tape.accurate_dtype());
    Profiler::Scope scope(tape.profiler(), "token_loss.forward");
    backend_of(tape).noise_target(rows.of(images.x_start), rows.of(images.noise),
                                  rows.of(inputs.tensor(mix_)), patch_, target.tensor());
    return target;
  }

  std::vector<Var> means(Tape& tape, const Var& tokens, const Var& target, const Rows& rows,
                         InputBuffers& inputs, const NoisedImages& images,
                         const Tensor& losses) const {
    TokenLossInputs loss{target, rows.of(inputs.tensor(factors_)), rows.of(images.weights)};
    std::vector<Var> means{token_loss(tape, tokens, loss, rows.of(term_of(losses, 0)))};
    if (has_direction()) {
      loss.distance = {Distance::kDirection, images.x_start.shape[1]};
      loss.factors = rows.of(inputs.tensor(ones_));
      means.push_back(token_loss(tape, tokens, loss, rows.of(term_of(losses, 1))));
    }
    return means;
  }

  bool has_direction() const { return terms_.size() > 1; }

  const Process& process_;
  std::int64_t patch_;
  double snr_gamma_;
  std::vector<LossTerm> terms_;
  std::size_t mix_, factors_, ones_;
};

}  // namespace

std::vector<LossTerm> loss_terms(const ProcessConfig& process, const DenoisingLossConfig& config) {
  require<UsageError>(
      config.direction_weight == 0 || process.prediction == PredictionType::kVelocity, "objective",
      "direction-weight is {}, and the network does not predict a velocity: process.prediction",
      config.direction_weight);
  std::vector<LossTerm> terms{{"mse"}};
  if (process.learns_variance()) terms.push_back({"vb"});
  if (config.direction_weight != 0) terms.push_back({"direction", config.direction_weight});
  return terms;
}

std::unique_ptr<DenoisingLoss> make_denoising_loss(const Model& model,
                                                   const DenoisingLossConfig& config,
                                                   InputBuffers& inputs, std::int64_t rows) {
  if (model.process().config().learns_variance()) {
    return std::make_unique<BoundedNoise>(model, config, inputs, rows);
  }
  return std::make_unique<Predicted>(model, config, inputs, rows);
}

}  // namespace edt
