namespace PgBackup.Codecs;

/// <summary>The LZMA1 decoder, after Igor Pavlov's LZMA specification (public domain). It keeps its state between pieces of input and output.</summary>
internal sealed class LzmaDecoder
{
    private const int States = 12;
    private const int FirstMatchState = 7;
    private const int PositionStates = 16;
    private const int ShortestMatch = 2;
    private const int LengthStates = 4;
    private const int EndOfDirectPositions = 14;
    private const int AlignBits = 4;

    private readonly ushort[] _isMatch = LzmaRangeDecoder.NewProbabilities(States * PositionStates);
    private readonly ushort[] _isRep = LzmaRangeDecoder.NewProbabilities(States);
    private readonly ushort[] _isRepG0 = LzmaRangeDecoder.NewProbabilities(States);
    private readonly ushort[] _isRepG1 = LzmaRangeDecoder.NewProbabilities(States);
    private readonly ushort[] _isRepG2 = LzmaRangeDecoder.NewProbabilities(States);
    private readonly ushort[] _isRep0Long = LzmaRangeDecoder.NewProbabilities(States * PositionStates);
    private readonly ushort[] _distanceSlots = LzmaRangeDecoder.NewProbabilities(LengthStates * 64);
    private readonly ushort[] _distanceBits = LzmaRangeDecoder.NewProbabilities(128);
    private readonly ushort[] _distanceAlign = LzmaRangeDecoder.NewProbabilities(1 << AlignBits);
    private readonly ushort[] _literals;
    private readonly LzmaLengthDecoder _matchLengths = new();
    private readonly LzmaLengthDecoder _repLengths = new();
    private readonly LzmaWindow _window;
    private readonly int _literalContextBits;
    private readonly int _literalPositionMask;
    private readonly int _positionMask;
    private readonly long _size;

    private uint _range = uint.MaxValue;
    private uint _code;
    private int _state;
    private uint _rep0;
    private uint _rep1;
    private uint _rep2;
    private uint _rep3;
    private int _copyLength;
    private bool _sizeReached;

    internal LzmaDecoder(int properties, int dictionarySize, long size, uint code)
    {
        _literalContextBits = properties % 9;
        _literalPositionMask = (1 << (properties / 9 % 5)) - 1;
        _positionMask = (1 << (properties / 45)) - 1;
        _literals = LzmaRangeDecoder.NewProbabilities(0x300 << (_literalContextBits + properties / 9 % 5));
        _window = new LzmaWindow(dictionarySize);
        _size = size;
        _code = code;
    }

    internal enum Outcome
    {
        Fine,
        InputMissing,
        Invalid,
    }

    private enum Symbol
    {
        Literal,
        Match,
        EndMarker,
        Invalid,
    }

    /// <summary>True when the whole stream was decoded.</summary>
    internal bool IsFinished { get; private set; }

    /// <summary>Decodes while at least <paramref name="reserve"/> bytes of input remain and there is room in <paramref name="output"/>.</summary>
    internal Outcome Decode(ReadOnlySpan<byte> input, int reserve, Span<byte> output, out int consumed, out int written)
    {
        var coder = new LzmaRangeDecoder(input, _range, _code);
        written = 0;
        Outcome outcome = Outcome.Fine;
        while (outcome == Outcome.Fine && !IsFinished)
        {
            if (_copyLength > 0)
            {
                if (written == output.Length)
                    break;
                int copied = _window.Copy(_rep0, Math.Min(_copyLength, output.Length - written), output[written..]);
                written += copied;
                _copyLength -= copied;
                continue;
            }
            if (written == output.Length || input.Length - coder.Position < reserve)
                break;
            outcome = _size >= 0 && _window.Total == _size ? ReachSize(ref coder) : Step(ref coder, output, ref written);
        }
        (consumed, _range, _code) = (coder.Position, coder.Range, coder.Code);
        return outcome;
    }

    private Outcome Step(scoped ref LzmaRangeDecoder coder, Span<byte> output, ref int written)
    {
        Symbol symbol = Next(ref coder, out byte literal);
        if (symbol == Symbol.EndMarker)
            return Finish(ref coder);
        if (coder.Overrun)
            return Outcome.InputMissing;
        if (symbol == Symbol.Literal)
        {
            _window.Put(literal);
            output[written++] = literal;
            return Outcome.Fine;
        }
        bool fits = symbol == Symbol.Match && _window.Has(_rep0) && (_size < 0 || _copyLength <= _size - _window.Total);
        return fits ? Outcome.Fine : Outcome.Invalid;
    }

    // After the declared size an end marker may follow or not.
    private Outcome ReachSize(scoped ref LzmaRangeDecoder coder)
    {
        if (!_sizeReached)
        {
            _sizeReached = true;
            coder.Normalize();
            if (coder.Overrun)
                return Outcome.InputMissing;
            IsFinished = coder.Code == 0;
            return Outcome.Fine;
        }
        if (Next(ref coder, out _) == Symbol.EndMarker)
            return Finish(ref coder);
        return coder.Overrun ? Outcome.InputMissing : Outcome.Invalid;
    }

    private Outcome Finish(scoped ref LzmaRangeDecoder coder)
    {
        coder.Normalize();
        if (coder.Overrun)
            return Outcome.InputMissing;
        IsFinished = coder.Code == 0 && (_size < 0 || _window.Total == _size);
        return IsFinished ? Outcome.Fine : Outcome.Invalid;
    }

    private Symbol Next(scoped ref LzmaRangeDecoder coder, out byte literal)
    {
        literal = 0;
        int positionState = (int)(_window.Total & _positionMask);
        int matchIndex = (_state << 4) + positionState;
        if (coder.Bit(ref _isMatch[matchIndex]) == 0)
        {
            literal = Literal(ref coder);
            _state = _state < 4 ? 0 : _state < 10 ? _state - 3 : _state - 6;
            return Symbol.Literal;
        }
        if (coder.Bit(ref _isRep[_state]) == 0)
        {
            (_rep3, _rep2, _rep1) = (_rep2, _rep1, _rep0);
            int length = _matchLengths.Decode(ref coder, positionState);
            _state = _state < FirstMatchState ? 7 : 10;
            _rep0 = Distance(ref coder, length);
            if (_rep0 == uint.MaxValue)
                return Symbol.EndMarker;
            _copyLength = length + ShortestMatch;
            return Symbol.Match;
        }
        if (_window.Total == 0)
            return Symbol.Invalid;
        if (coder.Bit(ref _isRepG0[_state]) == 0)
        {
            if (coder.Bit(ref _isRep0Long[matchIndex]) == 0)
            {
                _state = _state < FirstMatchState ? 9 : 11;
                _copyLength = 1;
                return Symbol.Match;
            }
        }
        else
        {
            uint distance;
            if (coder.Bit(ref _isRepG1[_state]) == 0)
            {
                distance = _rep1;
            }
            else
            {
                if (coder.Bit(ref _isRepG2[_state]) == 0)
                    distance = _rep2;
                else
                    (distance, _rep3) = (_rep3, _rep2);
                _rep2 = _rep1;
            }
            (_rep1, _rep0) = (_rep0, distance);
        }
        _copyLength = _repLengths.Decode(ref coder, positionState) + ShortestMatch;
        _state = _state < FirstMatchState ? 8 : 11;
        return Symbol.Match;
    }

    private byte Literal(scoped ref LzmaRangeDecoder coder)
    {
        int previous = _window.Total > 0 ? _window.Peek(0) : 0;
        int context = ((int)(_window.Total & _literalPositionMask) << _literalContextBits) + (previous >> (8 - _literalContextBits));
        Span<ushort> probabilities = _literals.AsSpan(0x300 * context, 0x300);
        int symbol = 1;
        if (_state >= FirstMatchState && _window.Has(_rep0))
        {
            int matched = _window.Peek(_rep0);
            do
            {
                int matchBit = (matched >> 7) & 1;
                matched <<= 1;
                int bit = (int)coder.Bit(ref probabilities[((1 + matchBit) << 8) + symbol]);
                symbol = (symbol << 1) | bit;
                if (matchBit != bit)
                    break;
            }
            while (symbol < 0x100);
        }
        while (symbol < 0x100)
            symbol = (symbol << 1) | (int)coder.Bit(ref probabilities[symbol]);
        return (byte)symbol;
    }

    private uint Distance(scoped ref LzmaRangeDecoder coder, int length)
    {
        int lengthState = Math.Min(length, LengthStates - 1);
        uint slot = coder.Tree(_distanceSlots.AsSpan(lengthState * 64, 64), 6);
        if (slot < 4)
            return slot;
        int directBits = (int)(slot >> 1) - 1;
        uint distance = (2 | (slot & 1)) << directBits;
        if (slot < EndOfDirectPositions)
            return distance + coder.ReverseTree(_distanceBits.AsSpan((int)(distance - slot)), directBits);
        distance += coder.Direct(directBits - AlignBits) << AlignBits;
        return distance + coder.ReverseTree(_distanceAlign, AlignBits);
    }
}
