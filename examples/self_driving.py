"""A car learns to drive by watching: PilotNet sees the road through a camera, and says how to steer and when to slow.

Roads, pictures and the driver who is watched are synthetic: lamina.data draws them. The network learns from single
pictures; then it drives a road that it has never seen, where each picture is the result of what it did before.

Needs: pip install "lamina[demo]"
Reference: Bojarski et al. 2016, arXiv:1604.07316.
"""

import numpy as np

import lamina as lm
from lamina.applications.pilotnet import PilotNet, preprocess_input


def draw(road: lm.data.Road, ride: lm.data.Drive, straight: lm.data.Drive, output: str) -> None:
    """The road from above with the driven path, what the camera saw there, and how far off the lane the car was."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.6), layout="constrained")
    figure.suptitle("PilotNet drives a road that it has never seen (synthetic)")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    above = left.subplots()
    loop = road.at(np.arange(0, road.length + 1))[0]
    points_per_metre = 330 / np.ptp(loop, axis=0).max()
    above.plot(*loop.T, color="0.45", linewidth=road.width * points_per_metre, solid_capstyle="butt")
    above.plot(*loop.T, color="gold", linewidth=0.6, linestyle=(0, (6, 6)))
    path = above.scatter(*ride.points.T, c=3.6 * ride.speeds, s=3, cmap="plasma", zorder=3)
    above.plot(*ride.points[0], "^", color="white", markeredgecolor="black", markersize=9, zorder=4)
    left.colorbar(path, ax=above, label="speed, km/h", location="bottom", shrink=0.6)
    above.set_aspect("equal")
    above.axis("off")
    grid = right.add_gridspec(4, 2, height_ratios=(1, 1, 1, 1.5))
    for i, (step, frame) in enumerate(list(ride.frames.items())[:6]):
        axes = right.add_subplot(grid[i // 2, i % 2])
        axes.imshow(frame)
        says = ride.steering[step]
        height, width = frame.shape[:2]
        arrow = {"arrowstyle": "-|>", "color": "red", "linewidth": 2, "connectionstyle": f"arc3,rad={-says:.2f}"}
        tip = (width / 2 - 60 * says, height * 0.55)
        axes.annotate("", tip, (width / 2, height - 1), arrowprops=arrow)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{step * ride.seconds:.0f} s: steering {says:+.2f}", fontsize=8)
    axes = right.add_subplot(grid[3, :])
    for name, told, colour in (("going straight", straight, "0.7"), ("PilotNet", ride, "tab:red")):
        axes.plot(np.arange(len(told.offsets)) * told.seconds, told.offsets, color=colour, label=name, linewidth=1)
    axes.axhspan(-1, 1, color="tab:green", alpha=0.08)
    axes.set(xlabel="seconds", ylabel="metres off the lane", ylim=(-1.2, 1.2))
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(output, dpi=100)


def main(small: bool = False, output: str = "self_driving.png") -> dict[str, float]:
    lm.set_seed(0)
    watched = lm.data.load_driving(count=320 if small else 3000, seed=0)
    model = PilotNet(outputs=("steering", "throttle"))
    model.compile(lm.optimizers.Adam(1e-3), "mse", loss_weights={"steering": 1.0, "throttle": 0.1})
    model.fit(
        preprocess_input(watched.images),
        [watched.steering[:, None], watched.throttle[:, None]],
        epochs=6 if small else 10,
        validation_split=0.1,
        verbose=0 if small else 1,
    )

    def driver(picture: np.ndarray) -> list[float]:
        return [float(said[0, 0]) for said in model.predict(preprocess_input(picture[None]), verbose=0)]

    road, seconds = lm.data.Road(seed=77), 20 if small else 75  # none of the roads that were watched
    ride = lm.data.drive(road, driver, seconds, keep=30 if small else 120)
    straight = lm.data.drive(road, lambda picture: 0.0, seconds)
    for name, told in (("PilotNet", ride), ("going straight", straight)):
        away, driven = np.abs(told.offsets), told.speeds.sum() * told.seconds
        print(f"{name:<15} {driven:4.0f} m: {len(told.interventions):2d} interventions, autonomy {told.autonomy:.0%}, "
              f"off the lane's middle by {away.mean():.2f} m in the mean, {away.max():.2f} m at most")  # fmt: skip
    draw(road, ride, straight, output)
    return {"PilotNet": ride.autonomy, "going straight": straight.autonomy, "off": float(np.abs(ride.offsets).max())}


if __name__ == "__main__":
    from command_line import run

    run(main)
