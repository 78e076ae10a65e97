"""Who taught a network, and how layers of its encoder were chosen, as settings and reports say it."""

from ser_pipeline.options import Options, TrainOptions
from ser_pipeline.tables.cells import plural


class TeacherInfo(Options):
    """The run that taught a network, beside the labels.

    Attributes:
        run: name of its folder.
        what: it is, in words, as ``logreg on layers 2, 3 of whisper-base``.
        encoders: that it learned from, by name.
        digest: of the teacher and of how it was asked.
        held_out: it was asked about training clips as refitted without their speakers; otherwise it had
            learned them.
        unlabelled: recordings without a label that it was asked about.
        unlabelled_manifest: digest of the manifest that they are of; "" for none.
    """

    run: str
    what: str
    encoders: tuple[str, ...] = ()
    digest: str
    held_out: bool
    unlabelled: int = 0
    unlabelled_manifest: str = ""

    def sentences(self, options: TrainOptions) -> str:
        """What a network learned from this teacher.

        Args:
            options: of the network's training.

        Examples:
            >>> teacher = TeacherInfo(run="big", what="svm on features", digest="0", held_out=True)
            >>> teacher.sentences(TrainOptions(teacher="big")).partition(". ")[2]
            'To judge training clips, that teacher was refitted without their speakers.'
        """
        said = [
            f"Beside the labels, it learned the probabilities that run {self.run} ({self.what}) gives: they "
            f"make {options.teacher_weight:g} of the target, at temperature {options.teacher_temperature:g}."
        ]
        if self.held_out:
            said.append("To judge training clips, that teacher was refitted without their speakers.")
        else:
            said.append("That teacher had learned the training clips itself, so it is surer of them.")
        if options.teacher_embedding_weight:
            weight = options.teacher_embedding_weight
            said.append(f"It also learned the teacher's embedding, with a weight of {weight:g}.")
        if self.unlabelled:
            clips = plural(self.unlabelled, "recording")
            said.append(f"It also learned what the teacher says of {clips} without a label.")
        return " ".join(said)


class LayerTrial(Options):
    """Layers of an encoder that were tried, and the validation UAR they gave."""

    layers: tuple[int, ...]
    uar: float


class LayerChoice(Options):
    """Layers of an encoder that a run learns from, chosen on its validation clips.

    Attributes:
        layers: the best.
        how: what they were compared by, in words.
        tried: all that was tried, in order.
        encoder: which of the run's encoders it is, counted from 0.
    """

    layers: tuple[int, ...]
    how: str
    tried: tuple[LayerTrial, ...]
    encoder: int = 0
