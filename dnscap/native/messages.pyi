from typing import Self, final

from typing_extensions import Buffer

@final
class Messages:
    def __new__(cls, with_records: bool = True) -> Self: ...

def question_text(message: Buffer) -> tuple[str | None, int | None]: ...
