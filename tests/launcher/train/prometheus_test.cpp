#include "launcher/train/prometheus.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace edt {
namespace {

TEST(Prometheus, OneGaugePerNumber) {
  const nlohmann::ordered_json record{{"step", 12},
                                      {"loss", 0.25},
                                      {"skipped", "loss"},
                                      {"time_share", {{"data", 0.5}, {"compute", 0.25}}},
                                      {"grad_norm", nullptr}};
  EXPECT_EQ(prometheus_text("runs/\"a\"", record),
            "# TYPE edt_step gauge\n"
            "edt_step{run=\"runs/\\\"a\\\"\"} 12\n"
            "# TYPE edt_loss gauge\n"
            "edt_loss{run=\"runs/\\\"a\\\"\"} 0.25\n"
            "# TYPE edt_time_share gauge\n"
            "edt_time_share{run=\"runs/\\\"a\\\"\",part=\"data\"} 0.5\n"
            "edt_time_share{run=\"runs/\\\"a\\\"\",part=\"compute\"} 0.25\n");
}

}  // namespace
}  // namespace edt
