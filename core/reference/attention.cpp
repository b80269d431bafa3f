// Per sample and head: s = q k^T / sqrt(d) + bias, p = softmax(s), o = p v.
// Backward: dv = p^T do, dp = do v^T, ds = p (dp - row sum of p dp), dq = ds k / sqrt(d),
// dk = ds^T q / sqrt(d), dtable[index(i, j)] += ds[i][j]. Neither out nor lse is needed here.
#include <algorithm>
#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

struct Geometry {
  std::int64_t batch, tokens, heads, size;
  TokenGrid grid;
  double scale;
  Doubles ids;  // places of visible tokens; empty: every token stands at its own

  Geometry(const Tensor& qkv, const VisibleTokens& visible)
      : batch(qkv.shape[0]),
        tokens(qkv.shape[1]),
        heads(qkv.shape[3]),
        size(qkv.shape[4]),
        grid(visible.grid),
        scale(1.0 / std::sqrt(static_cast<double>(size))) {
    if (visible.ids.defined()) ids = load(visible.ids);
  }

  // Offset of element 0 of q (which = 0), k (1) or v (2) of a token.
  std::int64_t at(std::int64_t b, std::int64_t token, int which, std::int64_t head) const {
    return (((b * tokens + token) * 3 + which) * heads + head) * size;
  }
  std::int64_t out_at(std::int64_t b, std::int64_t token, std::int64_t head) const {
    return ((b * tokens + token) * heads + head) * size;
  }
  std::int64_t place(std::int64_t b, std::int64_t token) const {
    return ids.empty() ? token : static_cast<std::int64_t>(ids[b * tokens + token]);
  }
  std::int64_t table_row(std::int64_t b, std::int64_t query, std::int64_t key) const {
    const std::int64_t i = place(b, query), j = place(b, key);
    const std::int64_t width = grid.columns;
    const std::int64_t down = i / width - j / width + grid.rows - 1;
    const std::int64_t across = i % width - j % width + width - 1;
    return down * (2 * width - 1) + across;
  }
};

double dot(const double* a, const double* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// y += factor * x
void axpy(double factor, const double* x, double* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

// Row i of softmax(s) of one sample and head, and its log sum exp.
struct Row {
  Doubles p;
  double lse;
};

Row softmax_row(const Geometry& g, const Doubles& qkv, const Doubles& table, std::int64_t b,
                std::int64_t head, std::int64_t i) {
  Row row{Doubles(static_cast<std::size_t>(g.tokens)), 0};
  for (std::int64_t j = 0; j < g.tokens; ++j) {
    row.p[j] = dot(&qkv[g.at(b, i, 0, head)], &qkv[g.at(b, j, 1, head)], g.size) * g.scale;
    if (!table.empty()) row.p[j] += table[g.table_row(b, i, j) * g.heads + head];
  }
  const double largest = *std::max_element(row.p.begin(), row.p.end());
  double sum = 0;
  for (double& p : row.p) sum += p = std::exp(p - largest);
  for (double& p : row.p) p /= sum;
  row.lse = largest + std::log(sum);
  return row;
}

// f(sample, head, token)
template <class F>
void for_each_row(const Geometry& g, F f) {
  for (std::int64_t b = 0; b < g.batch; ++b) {
    for (std::int64_t head = 0; head < g.heads; ++head) {
      for (std::int64_t i = 0; i < g.tokens; ++i) f(b, head, i);
    }
  }
}

// Empty without a bias.
Doubles load_bias(const Tensor& table) { return table.defined() ? load(table) : Doubles{}; }

void forward(const Geometry& g, const Tensor& qkv, const Tensor& table, const Tensor& out,
             const Tensor& lse) {
  const Doubles in = load(qkv), bias = load_bias(table);
  Doubles result(static_cast<std::size_t>(out.elements()), 0.0), sums;
  for_each_row(g, [&](auto b, auto head, auto i) {
    const Row row = softmax_row(g, in, bias, b, head, i);
    sums.push_back(row.lse);
    double* o = &result[g.out_at(b, i, head)];
    for (std::int64_t j = 0; j < g.tokens; ++j) {
      axpy(row.p[j], &in[g.at(b, j, 2, head)], o, g.size);
    }
  });
  store(result, out);
  if (lse.defined()) store(sums, lse);
}

void backward(const Geometry& g, const Tensor& dout, const Tensor& qkv, const Tensor& table,
              const GradTarget& dqkv, const GradTarget& dtable) {
  const Doubles in = load(qkv), bias = load_bias(table), d = load(dout);
  Doubles din(in.size(), 0.0), dbias(bias.size(), 0.0), dp(static_cast<std::size_t>(g.tokens));
  for_each_row(g, [&](auto b, auto head, auto i) {
    const Row row = softmax_row(g, in, bias, b, head, i);
    const double* d_out = &d[g.out_at(b, i, head)];
    for (std::int64_t j = 0; j < g.tokens; ++j) {
      axpy(row.p[j], d_out, &din[g.at(b, j, 2, head)], g.size);
      dp[j] = dot(d_out, &in[g.at(b, j, 2, head)], g.size);
    }
    const double delta = dot(row.p.data(), dp.data(), g.tokens);
    for (std::int64_t j = 0; j < g.tokens; ++j) {
      const double ds = row.p[j] * (dp[j] - delta);
      axpy(ds * g.scale, &in[g.at(b, j, 1, head)], &din[g.at(b, i, 0, head)], g.size);
      axpy(ds * g.scale, &in[g.at(b, i, 0, head)], &din[g.at(b, j, 1, head)], g.size);
      if (!dbias.empty()) dbias[g.table_row(b, i, j) * g.heads + head] += ds;
    }
  });
  store(din, dqkv);
  if (dtable.wanted()) store(dbias, dtable);
}

}  // namespace

void ReferenceBackend::attention_forward(T qkv, Grid grid, T table, T out, T lse) {
  forward(Geometry(qkv, {{}, {}, grid}), qkv, table, out, lse);
}

void ReferenceBackend::attention_backward(T dout, T qkv, Grid grid, T table, T, T, G dqkv,
                                          G dtable) {
  backward(Geometry(qkv, {{}, {}, grid}), dout, qkv, table, dqkv, dtable);
}

void ReferenceBackend::visible_attention_forward(T qkv, Visible visible, T table, T out, T lse) {
  forward(Geometry(qkv, visible), qkv, table, out, lse);
}

void ReferenceBackend::visible_attention_backward(T dout, T qkv, Visible visible, T table, T, T,
                                                  G dqkv, G dtable) {
  backward(Geometry(qkv, visible), dout, qkv, table, dqkv, dtable);
}

void ReferenceBackend::attention_modulated_forward(T qkv, Grid grid, T table, T modulation, T out) {
  const Geometry g(qkv, {{}, {}, grid});
  const Doubles in = load(qkv), bias = load(table), factor = load(modulation);
  Doubles result(static_cast<std::size_t>(out.elements()), 0.0);
  for_each_row(g, [&](auto b, auto head, auto i) {
    const Row row = softmax_row(g, in, bias, b, head, i);
    double* o = &result[g.out_at(b, i, head)];
    for (std::int64_t j = 0; j < g.tokens; ++j) {
      axpy(row.p[j] * factor[i * g.tokens + j], &in[g.at(b, j, 2, head)], o, g.size);
    }
  });
  store(result, out);
}

}  // namespace edt
