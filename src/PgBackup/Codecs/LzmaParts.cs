namespace PgBackup.Codecs;

/// <summary>LZMA's range decoder over one piece of input; its two registers are carried from piece to piece by the caller.</summary>
internal ref struct LzmaRangeDecoder(ReadOnlySpan<byte> input, uint range, uint code)
{
    private const int ProbabilityBits = 11;
    private const int MoveBits = 5;
    private const uint Top = 1 << 24;

    private readonly ReadOnlySpan<byte> _input = input;

    internal uint Range { get; private set; } = range;

    internal uint Code { get; private set; } = code;

    /// <summary>How many bytes of the input were taken.</summary>
    internal int Position { get; private set; }

    /// <summary>True when more input was asked for than there is; what was decoded since is worthless.</summary>
    internal bool Overrun { get; private set; }

    internal static ushort[] NewProbabilities(int count)
    {
        var probabilities = new ushort[count];
        Array.Fill(probabilities, (ushort)(1 << (ProbabilityBits - 1)));
        return probabilities;
    }

    internal void Normalize()
    {
        if (Range >= Top)
            return;
        Range <<= 8;
        Code <<= 8;
        if (Position < _input.Length)
            Code |= _input[Position++];
        else
            Overrun = true;
    }

    internal uint Bit(ref ushort probability)
    {
        Normalize();
        uint bound = (Range >> ProbabilityBits) * probability;
        if (Code < bound)
        {
            Range = bound;
            probability += (ushort)(((1 << ProbabilityBits) - probability) >> MoveBits);
            return 0;
        }
        Range -= bound;
        Code -= bound;
        probability -= (ushort)(probability >> MoveBits);
        return 1;
    }

    /// <summary>Bits of equal probability, the highest first.</summary>
    internal uint Direct(int count)
    {
        uint result = 0;
        for (; count > 0; count--)
        {
            Normalize();
            Range >>= 1;
            uint bit = Code >= Range ? 1u : 0u;
            Code -= Range * bit;
            result = (result << 1) | bit;
        }
        return result;
    }

    internal uint Tree(Span<ushort> probabilities, int bits)
    {
        uint node = 1;
        for (int i = 0; i < bits; i++)
            node = (node << 1) | Bit(ref probabilities[(int)node]);
        return node - (1u << bits);
    }

    internal uint ReverseTree(Span<ushort> probabilities, int bits)
    {
        uint node = 1;
        uint result = 0;
        for (int i = 0; i < bits; i++)
        {
            uint bit = Bit(ref probabilities[(int)node]);
            node = (node << 1) | bit;
            result |= bit << i;
        }
        return result;
    }
}

/// <summary>LZMA's decoder of match lengths (without the shortest length).</summary>
internal sealed class LzmaLengthDecoder
{
    private readonly ushort[] _choices = LzmaRangeDecoder.NewProbabilities(2);
    private readonly ushort[] _low = LzmaRangeDecoder.NewProbabilities(16 * 8);
    private readonly ushort[] _middle = LzmaRangeDecoder.NewProbabilities(16 * 8);
    private readonly ushort[] _high = LzmaRangeDecoder.NewProbabilities(256);

    internal int Decode(scoped ref LzmaRangeDecoder coder, int positionState)
    {
        if (coder.Bit(ref _choices[0]) == 0)
            return (int)coder.Tree(_low.AsSpan(positionState * 8, 8), 3);
        if (coder.Bit(ref _choices[1]) == 0)
            return 8 + (int)coder.Tree(_middle.AsSpan(positionState * 8, 8), 3);
        return 16 + (int)coder.Tree(_high, 8);
    }
}

/// <summary>LZMA's dictionary: the last bytes that were decoded. It grows with the data up to its full size.</summary>
internal sealed class LzmaWindow(int size)
{
    private byte[] _bytes = new byte[Math.Min(size, 1 << 16)];
    private int _position;

    /// <summary>How many bytes were decoded in all.</summary>
    internal long Total { get; private set; }

    /// <summary>True when a match may reach back that far; distance 0 is the byte before.</summary>
    internal bool Has(uint distance) => distance < Math.Min(Total, size);

    internal byte Peek(uint distance)
    {
        int index = _position - 1 - (int)distance;
        return _bytes[index < 0 ? index + _bytes.Length : index];
    }

    internal void Put(byte value)
    {
        if (_position == _bytes.Length)
            Wrap();
        _bytes[_position++] = value;
        Total++;
    }

    /// <summary>Repeats bytes from <paramref name="distance"/> back, in the window and in the output.</summary>
    internal int Copy(uint distance, int length, Span<byte> output)
    {
        for (int i = 0; i < length; i++)
        {
            byte value = Peek(distance);
            Put(value);
            output[i] = value;
        }
        return length;
    }

    private void Wrap()
    {
        if (_bytes.Length < size)
            Array.Resize(ref _bytes, (int)Math.Min(size, _bytes.Length * 2L));
        else
            _position = 0;
    }
}
