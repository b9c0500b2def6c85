"""Captioning: a picture in, a sentence out, and where the network looked for each word (Show, Attend and Tell).

The scenes are drawn by `lamina.data.load_scenes` and their sentences read off them, exact: synthetic, both. The network
sees pictures that it was not trained on and writes a sentence, as text and as a list of one-hot vectors.

Needs: pip install "lamina[demo]"
"""

import numpy as np

import lamina as lm
from lamina.applications import ShowAndTell, ShowAttendAndTell, caption, one_hot_words
from lamina.data import WordTokenizer, load_scenes


def main(small: bool = False, attention: bool = True, output: str = "captioning.png") -> dict[str, float]:
    lm.set_seed(1)
    count, tested, epochs = (400, 50, 4) if small else (8000, 500, 10)
    scenes = load_scenes(count + tested, (48, 48), kind="shapes", max_objects=2, seed=0)
    images, sentences = scenes.images.astype("float32") / 255, scenes.captions
    tokenizer = WordTokenizer.train(sentences[:count], start_token="<s>", end_token="</s>", min_frequency=1)
    words = tokenizer.encode_batch(sentences).ids
    if attention:  # nothing is gained by looking at all 36 places within 10 words: no penalty
        model = ShowAttendAndTell(len(tokenizer), images.shape[1:], attention_penalty=0.0)
    else:
        model = ShowAndTell(len(tokenizer), images.shape[1:])
    rate = lm.optimizers.schedules.CosineDecay(2e-3, epochs * count // 32)
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile(lm.optimizers.Adam(rate, clipnorm=5.0), loss)
    history = model.fit([images[:count], words[:count, :-1]], words[:count, 1:], batch_size=32, epochs=epochs,
                        verbose=0 if small else 1)  # fmt: skip
    pictures, wanted = images[count:], sentences[count:]
    said = caption(model, pictures, tokenizer.start_id, tokenizer.end_id, max_length=12)
    texts = [tokenizer.decode(row) for row in said]
    right = float(np.mean([text == sentence for text, sentence in zip(texts, wanted, strict=True)]))
    placed, n = np.zeros_like(words[count:]), min(said.shape[1], words.shape[1])
    placed[:, :n] = said[:, :n]
    share = float((placed == words[count:])[:, 1:][words[count:, 1:] > 0].mean())
    vectors = one_hot_words(said, len(tokenizer), tokenizer.end_id)[0]
    print(f"{texts[0]}: {len(vectors)} one-hot vectors of {len(vectors[0]) if vectors else 0}")
    print(
        f"captioning: {right:.1%} of {tested} pictures never seen have exactly the right sentence, {share:.1%} of words"
    )
    draw(output, history, pictures, texts, wanted)
    if attention:
        draw_attention(output.replace(".png", "_attention.png"), model, pictures[:4], tokenizer)
    return {"sentences": right, "words": share, "loss": history.history["loss"][-1] / history.history["loss"][0]}


def draw(output, history, pictures, texts, wanted) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 3))
    axes = left.subplots()
    history.draw(axes, "loss")
    axes.set_title("Learning: loss")
    for cell, picture, text, sentence in zip(right.subplots(2, 4).flat, pictures, texts, wanted, strict=False):
        cell.imshow(picture)
        cell.set_axis_off()
        middle = text.find(" ", len(text) // 2)
        shown = f"{text[:middle]}\n{text[middle + 1 :]}"
        cell.set_title(shown, fontsize=9, color="black" if text == sentence else "tab:red")
    figure.savefig(output, dpi=100)


def draw_attention(output, model, pictures, tokenizer) -> None:
    from matplotlib.figure import Figure

    said, looks = caption(model, pictures, tokenizer.start_id, tokenizer.end_id, 12, return_attention=True)
    figure = Figure(figsize=(12, 5), layout="constrained")
    grid = figure.subplots(len(pictures), looks.shape[1] + 1, squeeze=False)
    for row, picture, sentence, maps in zip(grid, pictures, said, looks, strict=True):
        row[0].imshow(picture)
        for cell in row:
            cell.set_axis_off()
        for cell, word, look in zip(row[1:], sentence[1:], maps, strict=True):
            if word not in (0, tokenizer.end_id):
                cell.imshow(picture)
                cell.imshow(look, cmap="gray", alpha=0.6, extent=(-0.5, 47.5, 47.5, -0.5), interpolation="bilinear")
                cell.set_title(tokenizer.id_to_token(int(word)), fontsize=9)
    figure.savefig(output, dpi=90)


if __name__ == "__main__":
    from command_line import run

    run(main)
